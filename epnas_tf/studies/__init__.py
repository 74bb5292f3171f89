"""What measures the product: baselines, tables, statistics; nothing of it is used by a search."""
