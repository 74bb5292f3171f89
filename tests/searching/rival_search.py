"""Searches of words (`limited_search.py`) by any algorithm, from the same task."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from epnas_tf.architecture.spec import Spec
from epnas_tf.searching.algorithms import ALGORITHMS, Task
from epnas_tf.searching.fold import Fold
from epnas_tf.searching.knowledge import Knowledge
from epnas_tf.searching.rungs import Rungs
from epnas_tf.searching.settings import SearchSettings
from epnas_tf.searching.starts import Starts
from epnas_tf.searching.trials import Proposal, Result
from tests.searching.limited_search import SPACE, accuracy, breach, spec_of

RIVALS = sorted({*ALGORITHMS} - {"epnas"})
_SIZES: dict[str, Any] = {"branches": 4, "episodes": 2, "steps": 3, "seed": 5}

Evaluate = Callable[[Proposal], Result]


def made(
    name: str,
    *starts: str,
    knowledge: Knowledge | None = None,
    rungs: Rungs | None = None,
    near: Callable[[Spec], float] | None = None,
    **settings: Any,
) -> Fold:
    """Returns a search that begins with these words, under the limits of `breach`."""
    task = Task(
        SPACE,
        SearchSettings(algorithm=name, **(_SIZES | settings)),
        knowledge or Knowledge(violation=breach),
        Starts([spec_of(word) for word in starts], near),
        rungs or Rungs(),
    )
    return ALGORITHMS[name](task)


def good(proposal: Proposal) -> Result:
    """Evaluates: a longer training is worth a little more."""
    spec, rung = proposal.spec, proposal.slot.rung
    reward = accuracy(spec) * 0.9 ** breach(spec) + 0.01 * rung
    return Result(proposal.slot, reward, accuracy(spec), breach(spec) == 0)


def mixed(proposal: Proposal) -> Result:
    """Evaluates: what fails and what is how good follows from the name and the rung."""
    number = int(proposal.spec.key[:8], 16) + 31 * proposal.slot.rung
    status = "failed" if number % 5 == 0 else "trained"
    return Result(proposal.slot, number % 97 / 97, feasible=number % 3 > 0, status=status)


def run(search: Fold, evaluate: Evaluate = good, steps: int = 99) -> list[list[Proposal]]:
    """Runs so many steps, and returns the proposals of each."""
    asked = []
    while not search.done and len(asked) < steps:
        asked.append(search.ask())
        search.tell(map(evaluate, asked[-1]))
    return asked


def state(search: Fold) -> tuple[Any, ...]:
    """Returns what a search is and will do next."""
    return (
        *(search.history, search.standing.risen, search.step_log, search.ask()),
        *(search.best(99), search.promising(), search.done),
    )
