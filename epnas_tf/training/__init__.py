"""One child, from a Keras model to numbers: data, schedules, the training loop, memory."""
