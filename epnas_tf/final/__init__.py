"""The final training of a network: its recipe, its files and what it measures."""
