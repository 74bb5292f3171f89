"""What chooses the changes."""
