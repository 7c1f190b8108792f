"""From a manifest to a program that gives it back."""
