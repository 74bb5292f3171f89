"""Keras Tuner adapters: the search as an Oracle, the evaluation as a Tuner."""
