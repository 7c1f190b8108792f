"""Argo Workflows through Argo Server: `api` (what is said), `transport` (how), `client` (why)."""
