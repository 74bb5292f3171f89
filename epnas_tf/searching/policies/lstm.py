"""The LSTM policy: network embedding, scale LSTM, insert LSTM, trained by REINFORCE.

Sizes and initialisation are the paper's (section 4.1): embedding LSTM of 32 units, scale and
insert LSTM of 128, all weights uniform in [-0.1, 0.1], Adam at 6e-4. A network's items go through
factor embeddings (one row a value of each field, summed) and the embedding LSTM. The scale LSTM
makes one choice a part; the scaled network is embedded again, and the insert LSTM makes the
choices of the edit one after the other, each fed the one before. Which choices there are and what
is legal comes from `architecture.choices`; the host draws from the probabilities.
"""

from __future__ import annotations

import epnas_tf.backend

from collections.abc import Generator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from epnas_tf import global_state
from epnas_tf.architecture import choices
from epnas_tf.architecture.choices import Choice
from epnas_tf.architecture.morph import Morph
from epnas_tf.architecture.space import SearchSpace
from epnas_tf.architecture.spec import Spec
from epnas_tf.global_state import FLOAT32
from epnas_tf.searching import features
from epnas_tf.searching.policies.network import (
    DECODER_UNITS,
    EMBEDDING_SIZE,
    NETWORK_UNITS,
    Decoder,
    Seeds,
    lstm_cell,
    mixed_log_probabilities,
)
from epnas_tf.searching.policies.vocabulary import Steps, Vocabulary
from epnas_tf.searching.settings import LSTMSettings


class LSTMPolicy:
    """The paper's policy, as `ProgressiveSearch` uses it."""

    learns = True

    @global_state.set_aside()
    def __init__(self, space: SearchSpace, settings: LSTMSettings | None = None, *, seed: int = 0):
        """Makes the policy with fresh weights.

        Args:
          space: the networks it acts on.
          settings: its optimizer and inputs; the defaults of `LSTMSettings` if None.
          seed: seed of the initial weights.
        """
        settings = settings or LSTMSettings()
        self._epochs, self._clip = settings.policy_epochs, settings.policy_clip
        self._entropy = settings.policy_entropy
        part_inputs = settings.policy_part_inputs
        self._space = space
        self._vocabulary = Vocabulary(space, settings.check_table_mix)
        seeds = Seeds(seed)
        width = sum(features.factor_sizes(space))
        self._factors = _table(seeds, width, "factors")
        self._network_cell = lstm_cell("network_lstm", NETWORK_UNITS, seeds)
        self._network_cell.build((None, EMBEDDING_SIZE))
        size = EMBEDDING_SIZE if part_inputs else 0
        self._scale = Decoder("scale", self._vocabulary.scale_size, seeds, size)
        self._insert = Decoder("insert", self._vocabulary.edit_size, seeds)
        self._parts = None
        if part_inputs:
            self._parts = _table(seeds, width + space.parts, "parts")
        self._optimizer = keras.optimizers.Adam(settings.policy_learning_rate, name="adam")
        self._optimizer.build(self.variables)
        self._embed = tf.function(self._network_embedding, reduce_retracing=True)
        self._train = tf.function(self._train_step, reduce_retracing=True)
        self._train_clipped = tf.function(self._clipped_step, reduce_retracing=True)
        self._evaluate = tf.function(self._log_probabilities, reduce_retracing=True)
        self._step = {
            id(decoder): tf.function(self._decoder_step(decoder), reduce_retracing=True)
            for decoder in (self._scale, self._insert)
        }

    @property
    def variables(self) -> list[Any]:
        """All trainable variables: embeddings, network LSTM, scale LSTM, insert LSTM."""
        return [
            self._factors,
            *self._network_cell.trainable_variables,
            *self._scale.variables,
            *self._insert.variables,
            *([] if self._parts is None else [self._parts]),
        ]

    @property
    def _state(self) -> list[Any]:
        return [*self.variables, *self._optimizer.variables]

    def get_weights(self) -> list[np.ndarray]:
        """Returns copies of all weights and optimizer slots."""
        return [np.asarray(variable.numpy()) for variable in self._state]

    def set_weights(self, weights: Sequence[np.ndarray]) -> None:
        """Takes over what `get_weights` returned of a policy of the same space and settings."""
        for variable, value in zip(self._state, weights, strict=True):
            variable.assign(value)

    # Acting

    @global_state.set_aside()
    def propose(self, specs: Sequence[Spec], rngs: Sequence[np.random.Generator]) -> list[Morph]:
        """Returns a morph for each network, drawn with that network's generator."""
        walks = [_Walk(spec, self._space) for spec in specs]
        self._decode(self._scale, walks, rngs, head="scale")
        self._decode(self._insert, walks, rngs)
        return [walk.result() for walk in walks]

    def _decode(
        self,
        decoder: Decoder,
        walks: list[_Walk],
        rngs: Sequence[np.random.Generator],
        head: str | None = None,
    ) -> None:
        """Answers the walks' choices with one decoder: those of `head`, or all that are left."""
        specs = [walk.spec for walk in walks]
        network = self._embed(*features.multi_hot(specs, self._space))
        focus = self._focus(specs, decoder)
        state = [tf.zeros((len(walks), DECODER_UNITS)) for _ in range(2)]
        last = np.zeros(len(walks), np.int32)
        step = 0
        while any(walk.asks(head) for walk in walks):
            steps = self._vocabulary.current([w.choice if w.asks(head) else None for w in walks])
            log_q, state = self._step[id(decoder)](
                network, last, focus[:, min(step, focus.shape[1] - 1)], state, *steps[2:]
            )
            step += 1
            probabilities = np.exp(np.asarray(log_q, np.float64))
            for row, walk in enumerate(walks):
                if walk.asks(head):
                    token = _draw(probabilities[row], rngs[row])
                    last[row] = token + 1
                    walk.answer(token - self._vocabulary.offset(walk.head))

    def _decoder_step(self, decoder: Decoder) -> Any:
        def step(
            network: tf.Tensor,
            last: tf.Tensor,
            focus: tf.Tensor,
            state: list[tf.Tensor],
            mask: tf.Tensor,
            prior: tf.Tensor,
            mix: tf.Tensor,
        ) -> tuple[tf.Tensor, list[tf.Tensor]]:
            seen = self._focus_embedding(focus)
            hidden, new_state = decoder.cell(decoder.inputs(network, last, seen), state)
            logits = decoder.head(hidden)
            return mixed_log_probabilities(logits, mask, prior, mix), new_state

        return step

    def _focus(self, specs: Sequence[Spec], decoder: Decoder) -> np.ndarray:
        """Returns what each choice of a decoder is about, [n, choices, values]; no values if none.

        The scale LSTM looks at a part of the network at each of its choices, the insert LSTM at
        the whole network only.
        """
        if decoder is self._scale and self._parts is not None:
            return features.parts(specs, self._space)
        choices_of = self._space.parts if decoder is self._scale else self._vocabulary.edit_steps
        return np.zeros((len(specs), choices_of, 0), np.float32)

    def _focus_embedding(self, focus: tf.Tensor) -> tf.Tensor:
        if self._parts is None or focus.shape[-1] == 0:
            return focus
        return tf.tensordot(focus, self._parts.value, 1)

    # Learning

    @global_state.set_aside()
    def update(
        self, specs: Sequence[Spec], actions: Sequence[Morph], advantages: np.ndarray
    ) -> None:
        """Takes Adam steps up the gradient of sum(log pi(action | network) * advantage).

        With one epoch this is REINFORCE as in the paper; with more, the clipped surrogate of PPO.

        Args:
          specs: networks acted on.
          actions: what was done to each.
          advantages: float [n].
        """
        batch = self._batch(specs, actions)
        weights = tf.constant(advantages, tf.float32)
        if self._epochs == 1:
            self._train(batch, weights)
            return
        scale, edit = self._evaluate(batch)[:2]
        before = scale + edit
        for _ in range(self._epochs):
            self._train_clipped(batch, weights, before)

    @global_state.set_aside()
    def log_probability(self, specs: Sequence[Spec], actions: Sequence[Morph]) -> np.ndarray:
        """Returns log pi(action | network) of each, float [n]."""
        scale, edit = self._evaluate(self._batch(specs, actions))[:2]
        return np.asarray(scale + edit)

    @global_state.set_aside()
    def statistics(self, specs: Sequence[Spec], actions: Sequence[Morph]) -> dict[str, Any]:
        """Returns the mean entropy of a choice in nats and the mean decision probabilities."""
        batch = self._batch(specs, actions)
        _, _, entropy, decision = self._evaluate(batch)
        count = sum(float(np.sum(Steps(*batch[part]).valid)) for part in ("scale", "edit"))
        decided = dict(zip(choices.DECISIONS, np.asarray(decision).mean(axis=0), strict=True))
        return {
            "entropy": float(entropy) / count,
            "decision": {name: round(float(p), 6) for name, p in decided.items()},
        }

    def _batch(self, specs: Sequence[Spec], actions: Sequence[Morph]) -> dict[str, Any]:
        taken = [
            choices.encode(spec, action, self._space)
            for spec, action in zip(specs, actions, strict=True)
        ]
        scaled = [_edited_spec(choice_list) for choice_list in taken]
        scale_steps, edit_steps = self._vocabulary.sequences(taken)
        return {
            "network": features.multi_hot(specs, self._space),
            "scaled": features.multi_hot(scaled, self._space),
            "focus": self._focus(specs, self._scale),
            "scale": tuple(scale_steps),
            "edit": tuple(edit_steps),
        }

    def _log_probabilities(
        self, batch: dict[str, Any]
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
        """Returns log pi of the scalings and of the edit [n], summed entropy, decisions [n, 3]."""
        scale, edit = Steps(*batch["scale"]), Steps(*batch["edit"])
        network = self._network_embedding(*batch["network"])
        scaled = self._network_embedding(*batch["scaled"])
        scale_log_q = mixed_log_probabilities(
            self._scale.sequence_logits(
                network, scale.token, self._focus_embedding(batch["focus"])
            ),
            *scale[2:],
        )
        edit_log_q = mixed_log_probabilities(
            self._insert.sequence_logits(scaled, edit.token, _no_focus(edit.token)),
            *edit[2:],
        )
        total = tf.reduce_sum(_entropy(scale_log_q) * scale.valid)
        total += tf.reduce_sum(_entropy(edit_log_q) * edit.valid)
        first = self._vocabulary.offset("decision")
        decision = tf.exp(edit_log_q[:, 0, first : first + len(choices.DECISIONS)])
        return _taken(scale_log_q, scale), _taken(edit_log_q, edit), total, decision

    def _train_step(self, batch: dict[str, Any], advantages: tf.Tensor) -> None:
        with tf.GradientTape() as tape:
            scale, edit, entropy, _ = self._log_probabilities(batch)
            # A sum, as in the paper: a mean's gradients would come close to Adam's epsilon.
            loss = -tf.reduce_sum((scale + edit) * advantages)
            if self._entropy:
                loss -= self._entropy * entropy
        self._apply(tape, loss)

    def _clipped_step(
        self, batch: dict[str, Any], advantages: tf.Tensor, before: tf.Tensor
    ) -> None:
        with tf.GradientTape() as tape:
            scale, edit, entropy, _ = self._log_probabilities(batch)
            ratio = tf.exp(scale + edit - before)
            clipped = tf.clip_by_value(ratio, 1 - self._clip, 1 + self._clip)
            gain = tf.minimum(ratio * advantages, clipped * advantages)
            loss = -tf.reduce_sum(gain) - self._entropy * entropy
        self._apply(tape, loss)

    def _apply(self, tape: tf.GradientTape, loss: tf.Tensor) -> None:
        values = [variable.value for variable in self.variables]
        gradients = tape.gradient(loss, values)
        self._optimizer.apply_gradients(zip(gradients, self.variables, strict=True))

    def _network_embedding(self, hot: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        """Returns the embeddings of networks, [n, 32], from their factors [n, items, values]."""
        inputs = tf.tensordot(hot, self._factors.value, 1)
        state = [tf.zeros((tf.shape(hot)[0], NETWORK_UNITS)) for _ in range(2)]
        for item in range(self._space.max_items):
            _, moved = self._network_cell(inputs[:, item], state)
            real = mask[:, item, tf.newaxis]
            state = [tf.where(real, new, old) for new, old in zip(moved, state, strict=True)]
        return state[0]


def _table(seeds: Seeds, rows: int, name: str) -> keras.Variable:
    values = seeds.uniform()((rows, EMBEDDING_SIZE), FLOAT32)
    return keras.Variable(values, dtype=FLOAT32, name=name)


class _Walk:
    """One network's choices under way: what is asked now, and the morph at the end."""

    def __init__(self, spec: Spec, space: SearchSpace):
        self.spec = spec
        self.choice: Choice | None = None
        self._walk: Generator[Choice, int, Morph] = choices.walk(spec, space)
        self._result: Morph | None = None
        self._advance(None)

    @property
    def head(self) -> str:
        """The kind of the choice asked now."""
        assert self.choice is not None
        return self.choice.head

    def asks(self, head: str | None) -> bool:
        """Whether a choice is asked now, and of this head where one is named."""
        return self.choice is not None and head in (None, self.choice.head)

    def answer(self, index: int) -> None:
        """Gives the option taken and moves to the next choice."""
        self._advance(index)

    def result(self) -> Morph:
        """Returns the morph; only after the last choice."""
        assert self._result is not None
        return self._result

    def _advance(self, index: int | None) -> None:
        try:
            self.choice = next(self._walk) if index is None else self._walk.send(index)
            assert self.choice.spec is not None
            self.spec = self.choice.spec
        except StopIteration as stop:
            self.choice, self._result = None, stop.value


def _edited_spec(taken: list[tuple[Choice, int]]) -> Spec:
    """Returns the scaled network, which the edit's choices are about."""
    spec = next(choice.spec for choice, _ in taken if choice.head == "decision")
    assert spec is not None
    return spec


def _no_focus(tokens: tf.Tensor) -> tf.Tensor:
    return tf.zeros(tf.concat([tf.shape(tokens), [0]], axis=0))


def _taken(log_q: tf.Tensor, steps: Steps) -> tf.Tensor:
    """Returns the summed log-probability of the tokens taken, [n]; unused steps count nothing."""
    # Not tf.gather: its gradient scatters from several threads, in an order that varies.
    hot = tf.one_hot(steps.token, log_q.shape[-1]) * steps.valid[..., tf.newaxis]
    return tf.reduce_sum(log_q * hot, axis=[1, 2])


def _entropy(log_q: tf.Tensor) -> tf.Tensor:
    return -tf.reduce_sum(tf.exp(log_q) * tf.maximum(log_q, -1e4), axis=-1)


def _draw(probabilities: np.ndarray, rng: np.random.Generator) -> int:
    """Returns an index drawn by inverting the cumulative distribution at one uniform number."""
    cumulative = np.cumsum(probabilities)
    index = int(np.searchsorted(cumulative, rng.random() * cumulative[-1], side="right"))
    return min(index, int(np.flatnonzero(probabilities)[-1]))
