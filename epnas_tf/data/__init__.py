"""Images and labels: sources, checks, splits, variation."""
