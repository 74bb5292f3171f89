"""A search's files: their names, one writer and one reader each."""
