"""The parts of the LSTM policy's network: initial weights, decoder, masked probabilities."""

from __future__ import annotations

import epnas_tf.backend

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from epnas_tf.global_state import FLOAT32

EMBEDDING_SIZE = 32
NETWORK_UNITS = 32
DECODER_UNITS = 128
INIT_RANGE = 0.1


class Decoder:
    """An LSTM that makes choices one after the other: its input is the network and the last one.

    Where there is a focus, what the choice is about is part of the input.
    """

    def __init__(self, name: str, tokens: int, seeds: Seeds, focus_size: int = 0):
        self.tokens = tokens
        self.cell = lstm_cell(f"{name}_lstm", DECODER_UNITS, seeds)
        # Row 0 of the table stands for "no choice yet", row t + 1 for token t.
        self.table = keras.Variable(
            seeds.uniform()((tokens + 1, EMBEDDING_SIZE), FLOAT32),
            dtype=FLOAT32,
            name=f"{name}_tokens",
        )
        self.head = keras.layers.Dense(
            tokens,
            kernel_initializer=seeds.uniform(),
            bias_initializer=seeds.uniform(),
            dtype=FLOAT32,
            name=f"{name}_head",
        )
        self.cell.build((None, NETWORK_UNITS + EMBEDDING_SIZE + focus_size))
        self.head.build((None, DECODER_UNITS))

    @property
    def variables(self) -> list[Any]:
        """All trainable variables: LSTM, token embeddings, output layer."""
        return [*self.cell.trainable_variables, self.table, *self.head.trainable_variables]

    def inputs(self, network: tf.Tensor, last: tf.Tensor, focus: tf.Tensor) -> tf.Tensor:
        """Returns the cell's input from [..., 32], the last tokens + 1, int [...], and a focus."""
        # A product with one-hot rows keeps the gradient dense and its order of summation fixed.
        hot = tf.one_hot(last, self.tokens + 1)
        return tf.concat([network, tf.tensordot(hot, self.table.value, 1), focus], axis=-1)

    def sequence_logits(self, network: tf.Tensor, tokens: tf.Tensor, focus: tf.Tensor) -> tf.Tensor:
        """Returns every step's logits, [n, steps, tokens].

        Args:
          network: [n, 32].
          tokens: those taken, [n, steps].
          focus: what each choice is about, [n, steps, focus size].
        """
        last = tf.pad(tokens[:, :-1] + 1, [[0, 0], [1, 0]])
        repeated = tf.repeat(network[:, tf.newaxis], tf.shape(last)[1], axis=1)
        inputs = self.inputs(repeated, last, focus)
        state = [tf.zeros((tf.shape(network)[0], DECODER_UNITS)) for _ in range(2)]
        logits = []
        for step in range(tokens.shape[1]):
            hidden, state = self.cell(inputs[:, step], state)
            logits.append(self.head(hidden))
        return tf.stack(logits, axis=1)


class Seeds:
    """Initialisers uniform in [-0.1, 0.1], each with a seed of its own."""

    def __init__(self, seed: int):
        self._generator = np.random.Generator(np.random.Philox(key=seed))

    def uniform(self) -> keras.Initializer:
        """Returns an initialiser with the next seed."""
        seed = int(self._generator.integers(2**31))
        return keras.initializers.RandomUniform(-INIT_RANGE, INIT_RANGE, seed=seed)


def lstm_cell(name: str, units: int, seeds: Seeds) -> keras.layers.LSTMCell:
    """Returns an LSTM cell whose weights, biases too, start uniform in [-0.1, 0.1]."""
    # Named: the graph's order of summation follows names, and Keras' own count its instances.
    return keras.layers.LSTMCell(
        units,
        kernel_initializer=seeds.uniform(),
        recurrent_initializer=seeds.uniform(),
        bias_initializer=seeds.uniform(),
        unit_forget_bias=False,
        dtype=FLOAT32,
        name=name,
    )


def mixed_log_probabilities(
    logits: tf.Tensor, mask: tf.Tensor, prior: tf.Tensor, mix: tf.Tensor
) -> tf.Tensor:
    """Returns log q with q = (1 - mix) * softmax(legal logits) + mix * prior.

    Args:
      logits: float [..., options].
      mask: bool [..., options], the legal options.
      prior: float [..., options], the check table's distribution where mix > 0.
      mix: float [...], weight of the check table (`--check_table_mix`).

    Returns:
      float [..., options]; illegal options have a very low finite value.
    """
    lowest = tf.constant(-1e9, logits.dtype)
    log_softmax = tf.nn.log_softmax(tf.where(mask, logits, lowest))
    weight = mix[..., tf.newaxis]
    mixed = (1 - weight) * tf.exp(log_softmax) + weight * prior
    # Only mixed choices go through the exponential: the others keep their full precision.
    log_mixed = tf.math.log(tf.where(weight > 0, tf.maximum(mixed, 1e-30), 1.0))
    return tf.where(mask, tf.where(weight > 0, log_mixed, log_softmax), lowest)
