"""Argo Workflows through the Kubernetes API: `objects` (what is asked), `http` (how), `client`."""
