"""Where a manifest runs."""
