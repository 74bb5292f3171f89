"""A search with your own evaluator, by ask and tell: no Keras Tuner, and no TensorFlow either.

Example: python examples/own_evaluator.py --policy=lstm --seed=1

The space holds networks of six positions with one of five operations each, as in NAS-Bench-201.
`evaluate` stands for whatever says how good a network is: a training run, a table, a service.
"""

from __future__ import annotations

import argparse

from epnas_tf.architecture import morph
from epnas_tf.architecture.ops import OpDef
from epnas_tf.architecture.space import Field, SearchSpace
from epnas_tf.architecture.spec import Spec
from epnas_tf.searching.policies.uniform import RandomPolicy
from epnas_tf.searching.progressive import Policy, ProgressiveSearch
from epnas_tf.searching.trials import Result

OPS = {name: OpDef(()) for name in ("none", "skip", "conv1x1", "conv3x3", "avg3x3")}

# What an operation is worth here; a single skip is worth more, see `evaluate`.
WORTH = {"none": 0.0, "skip": 0.05, "conv1x1": 0.1, "conv3x3": 0.15, "avg3x3": 0.05}


def space() -> SearchSpace:
    """Returns the space: each position is a part of its own, whose operation is set."""
    op = Field("op", tuple(OPS), scaled=True)
    return SearchSpace("layerwise", (op,), max_items=6, parts=6, fixed_length=True, ops=OPS)


def evaluate(spec: Spec) -> float:
    """Returns how good a network is, 0.9 at best."""
    names = [item.op for item in spec.items]
    return sum(WORTH[name] for name in names) + (0.05 if names.count("skip") == 1 else 0.0)


def make_policy(name: str, seed: int) -> Policy:
    """Returns the policy of this name."""
    if name == "random":
        return RandomPolicy(space())
    # Here and not above: only this policy needs TensorFlow, which takes seconds to import.
    from epnas_tf.searching.policies.lstm import LSTMPolicy
    from epnas_tf.searching.settings import LSTMSettings

    settings = LSTMSettings(policy_learning_rate=0.01, policy_entropy=0.0, policy_part_inputs=False)
    return LSTMPolicy(space(), settings, seed=seed)


def main() -> None:
    """Searches, and prints a line per episode and the best network."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--policy", choices=("random", "lstm"), default="random")
    parser.add_argument("--seed", type=int, default=0)
    flags = parser.parse_args()

    policy = make_policy(flags.policy, flags.seed)
    search = ProgressiveSearch(space(), policy, episodes=10, steps=2, seed=flags.seed)
    while not search.done:
        # All of these may be evaluated at the same time and told in any order.
        proposals = search.ask()
        search.tell(Result(proposal.slot, evaluate(proposal.spec)) for proposal in proposals)
        step = search.step_log[-1]
        print(f"episode {step['episode']} step {step['step']}: mean {step['mean_reward']:.3f}")

    best = search.best()[0]
    print(f"best of {len(search.history)}: {best.result.reward:.2f} in {best.slot.name}")
    print(f"  {' '.join(item.op for item in best.proposal.spec.items)}")
    print(f"  made from {best.proposal.parent} by: {morph.describe(best.proposal.action)}")


if __name__ == "__main__":
    main()
