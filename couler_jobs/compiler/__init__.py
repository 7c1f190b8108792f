"""From the model to a manifest, pure."""
