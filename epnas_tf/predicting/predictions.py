"""What a model says of an image, as data, as a line of JSON and as rows of a table."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

_DIGITS = 6  # of a probability in JSON; float32 has no more that mean anything


@dataclasses.dataclass(frozen=True)
class Guess:
    """A class that an image may be of.

    Attributes:
      name: of the class.
      index: its place among the model's outputs, from 0.
      probability: that the image is of it, according to the model.
    """

    name: str
    index: int
    probability: float


@dataclasses.dataclass(frozen=True)
class Prediction:
    """What a model says of an image.

    Attributes:
      image: path of its file.
      guesses: the likeliest classes, the likeliest first; empty where there is none.
      error: why the model says nothing of it; empty where it does.
    """

    image: str
    guesses: tuple[Guess, ...] = ()
    error: str = ""

    @property
    def best(self) -> Guess | None:
        """The likeliest class; None where the image could not be read."""
        return self.guesses[0] if self.guesses else None

    def to_json(self) -> str:
        """Returns a line of JSON: image and classes, or image and error."""
        said: dict[str, Any] = {"image": self.image}
        if self.error:
            return json.dumps(said | {"error": self.error})
        rows = [dataclasses.asdict(guess) for guess in self.guesses]
        for row in rows:
            row["probability"] = round(row["probability"], _DIGITS)
        return json.dumps(said | {"classes": rows})


def table(
    predictions: Iterable[Prediction], images: Sequence[str], names: Sequence[str]
) -> Iterator[str]:
    """Yields the lines of a table, a row per class, as the predictions come.

    Args:
      predictions: of the images; those without guesses are left out.
      images: paths of all of them, which say how wide the column is.
      names: of all classes.
    """
    image_width, name_width = (
        max(map(len, column)) for column in (["image", *images], ["class", *names])
    )
    yield f"{'image':{image_width}}  {'class':{name_width}}  probability"
    for prediction in predictions:
        image = prediction.image
        for guess in prediction.guesses:
            yield f"{image:{image_width}}  {guess.name:{name_width}}  {guess.probability:11.4f}"
            image = ""  # named once
