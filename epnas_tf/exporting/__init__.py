"""A trained network as files for other programs: written, run in a fresh process, described."""
