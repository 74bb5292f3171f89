"""What trained networks leave to later ones: the shared parameter dictionary."""
