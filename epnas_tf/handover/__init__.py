"""From a search's folder to exported files: which networks, and what is known of each."""
