"""Couler's names, a file a subject. `couler_jobs.argo` publishes them."""
