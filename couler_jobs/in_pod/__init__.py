"""Programs that run inside a step; they import nothing else of this package."""
