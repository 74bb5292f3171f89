"""What an exported model says of image files: every format of an export, without a search."""
