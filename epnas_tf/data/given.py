"""Splits that people have as arrays: one scale, one set of classes, no copy on both sides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from epnas_tf.data import arrays, copies, pixels
from epnas_tf.data.arrays import Split
from epnas_tf.data.labels import Classes, classes_of, numbers, shortened
from epnas_tf.data.sources.common import Raw, Request

# Images and labels.
Pair = tuple[Any, Any]

_TITLES = {"train": "training", "val": "validation", "test": "test"}


def prepared(
    given: Mapping[str, Pair],
    request: Request,
    share: float,
    *,
    titles: Mapping[str, tuple[str, str]],
    by_content: bool,
    weights: Any = None,
) -> Raw:
    """Returns the splits of a data set that was given as arrays.

    Args:
      given: images and labels of "train" and, where there are such splits, of "val" and "test".
      request: size, share of training and seed.
      share: what is held out of training where there is no "val".
      titles: what to call images and labels of each split in an error.
      by_content: whether content alone decides the order of examples, rather than their place.
      weights: of the training images in the training loss.

    Raises:
      ValueError: the arrays break a rule, which is named.
    """
    splits, classes, scale = _checked(given, titles, request.image_size)
    if weights is not None:
        splits["train"] = splits["train"].weighted(weights)
    orders, digests = {}, {}
    for name, split in splits.items():
        found = copies.digests_of(split.images)
        order = np.lexsort((split.labels, found)) if by_content else np.arange(len(split))
        orders[name], digests[_TITLES[name]] = order, found[order]
    labels = splits["train"].labels[orders["train"]]
    within = copies.among(digests[_TITLES["train"]], labels)
    shares = [] if "val" in given else [share]
    chosen = request.choose(labels, *shares, copies=within, names=classes.names)
    train, *held = (splits["train"].take(orders["train"][indices]) for indices in chosen)
    arrays.check_some_weight(train)
    kept = [train, *(split.unweighted() for split in held)]
    own = copies.without(digests)
    kept += [
        split.take(orders[name][own[_TITLES[name]]])
        for name, split in splits.items()
        if name != "train"
    ]
    left_out = {title: len(digests[title]) - len(indices) for title, indices in own.items()}
    test = kept[2] if len(kept) > 2 else None
    return Raw(kept[0], kept[1], test, classes, scale, _notes(classes, within.count, left_out))


def _checked(
    given: Mapping[str, Pair], titles: Mapping[str, tuple[str, str]], image_size: int
) -> tuple[dict[str, Split], Classes, float]:
    images, scale = pixels.to_one_scale({titles[name][0]: x for name, (x, _) in given.items()})
    classes = classes_of(given["train"][1], titles["train"][1])
    splits = {}
    for (name, (_, y)), x in zip(given.items(), images, strict=True):
        labels = classes.encode(y, titles[name][1])
        if len(x) != len(labels):
            raise ValueError(
                f"{titles[name][0]} and {titles[name][1]} must have the same length, "
                f"got {len(x)} and {len(labels)}"
            )
        splits[name] = Split(arrays.resized(x, image_size), labels)
    return splits, classes, scale


def _notes(classes: Classes, within: int, left_out: Mapping[str, int]) -> tuple[str, ...]:
    notes = [copies.report(left_out, within)]
    if not classes.numbered:
        ours = shortened(numbers(len(classes)))
        notes.append(
            f"labels {shortened(classes.names)} are classes {ours} of the networks "
            "(encode_labels(y) maps yours)"
        )
    return tuple(filter(None, notes))
