"""Commands of the studies in docs/: what searchers find, how networks are ranked."""
