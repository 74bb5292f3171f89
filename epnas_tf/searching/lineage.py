"""Names that follow layers and branches through morphs, whatever their numbers become."""

from __future__ import annotations

from collections.abc import Mapping

from epnas_tf.architecture.morph import Insert, Remove
from epnas_tf.searching.trials import Proposal

Names = tuple[str, ...]


def names_of(proposal: Proposal, known: Mapping[str, Names]) -> Names:
    """Returns the names of a network's layers or branches, in order.

    A layer keeps the name that it got where it first was: the slot's, with its number in a starting
    network (`e01s00b3.2`) and alone where a morph inserted it.

    Args:
      proposal: the network and how it was made.
      known: of the slots of earlier steps.
    """
    if proposal.reuse is not None:
        return known[proposal.reuse]  # whose parameters are kept under its own names
    slot = proposal.slot.name
    if proposal.parent is None or proposal.action is None:
        return tuple(f"{slot}.{number}" for number in range(1, 1 + len(proposal.spec.items)))
    names, edit = known[proposal.parent], proposal.action.edit
    if isinstance(edit, Insert):
        return (*names[: edit.place], slot, *names[edit.place :])
    if isinstance(edit, Remove):
        return (*names[: edit.index - 1], *names[edit.index :])
    return names
