"""Rows of a study of proxies whose correlations are known."""

from __future__ import annotations


def run(key, method, seed, accuracy, seconds=1.0, **more):
    row = {"key": key, "method": method, "seed": seed, "accuracy": accuracy}
    row |= {"losses": [2.0, 1.0 - accuracy], "training_accuracies": [0.1, 1 - accuracy]}
    row |= {"inherited": None}
    return row | {"batch_norm_gap": 0.01, "seconds": 0.1, "all_seconds": seconds} | more


def rows(networks):
    """The proxy "exact" orders as the truth, "reversed" against it, "exact_dictionary" by its own.

    Training accuracies always fall with accuracy, and losses do too.
    """
    found = []
    for index, network in enumerate(networks):
        accuracy = 0.4 + 0.02 * index
        found += [run(network.key, "truth", s, accuracy + 0.001 * s, 10.0 + 10 * s) for s in (0, 1)]
        found.append(run(network.key, "exact", 2, accuracy / 2, 3.0))
        found.append(run(network.key, "reversed", 2, 1 - accuracy, 7.5, batch_norm_gap=None))
        flattered = accuracy / 2 + (0.5 if network.step == 2 else 0)
        share = 0.9 if network.step == 2 else 0.3 * network.step
        more = {"inherited": share, "step": network.step}
        found.append(run(network.key, "exact_dictionary", 2, flattered, **more))
    return found
