"""Commands that measure and check the product itself: speed, memory, faults, the BUILD file."""
