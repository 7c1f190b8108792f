"""What comes back: a handle on a run."""
