"""How the next networks are chosen: the search as a fold over finished trials, and its policies."""
