"""What Argo understands: pure values and rules."""
