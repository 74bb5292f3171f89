"""What hears of each completed trial."""
