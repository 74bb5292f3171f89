"""Where images come from: a module per source, each with a `load(path, request)`."""
