"""What a network is and how it may change: pure values and rules, no TensorFlow."""
