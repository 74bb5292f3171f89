"""Says which classes the images in files are of, by a model that epnas_export wrote.

Example: epnas_predict export/e02s01b0 photo.jpg holiday/ --top=3
From a checkout: python -m tools.predict ...

The model is a .keras, .tflite or .onnx file, the folder of a SavedModel, or that of an export, of
which the first of these is taken. Images are files of any size, and folders, of which every visible
file is taken. They are decoded and resized as those of a search are.

Flags:
  --top=5        classes named per image, the likeliest first
  --labels=FILE  names of the classes, a line each, in the order of the model's outputs; by default
                 labels.txt beside the model, else what export.json there says
  --json         a line of JSON per image instead of a table

Exit codes: 0; 1 where an image could not be read, which is named; 2 for a model or a flag that
cannot be used; 130 after Ctrl-C and 143 after SIGTERM.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence

from absl import flags

import epnas_tf
from epnas_tf import interrupts, terminal
from epnas_tf.predicting.predictions import Prediction, table


def main(argv: Sequence[str]) -> int:
    """Prints the predictions that argv asks for and returns the exit code."""
    # TensorFlow reads this when it is first imported: its notes on the build help nobody here.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if not terminal.ANY_HELP.isdisjoint(argv[1:]):
        terminal.say(__doc__.strip())
        return 0
    # Flags of our own, not absl's global ones: libraries add theirs to those.
    values = flags.FlagValues()
    values.set_gnu_getopt()  # flags may stand behind images
    top = flags.DEFINE_integer("top", 5, "classes per image", 1, flag_values=values)
    labels = flags.DEFINE_string("labels", "", "file of the classes' names", values)
    as_json = flags.DEFINE_boolean("json", False, "print lines of JSON", values)
    failed: list[Prediction] = []
    try:
        with interrupts.listening():
            _, *given = values(argv)
            if len(given) < 2:
                raise flags.Error("give a model and at least one image (--help explains them)")
            classifier = epnas_tf.Classifier(given[0], labels.value)
            if not classifier.is_named:
                _say("no labels.txt is beside the model: classes are numbers (--labels names them)")
            files = classifier.files(given[1:])
            found = _heard(failed, classifier.predict(files, top.value))
            lines = map(Prediction.to_json, found)
            for line in lines if as_json.value else table(found, files, classifier.names):
                terminal.say(line)
    except (flags.Error, ValueError, OSError) as error:
        return _say(str(error), 2)
    except interrupts.Stopped as stopped:
        return _say(str(stopped), 128 + stopped.signum)
    return _say(f"{len(failed)} of {len(files)} images could not be read", 1) if failed else 0


def _heard(failed: list[Prediction], found: Iterable[Prediction]) -> Iterator[Prediction]:
    """Yields predictions; names those of images that could not be read, and counts them."""
    for prediction in found:
        if prediction.error:
            failed.append(prediction)
            _say(f"{prediction.image}: {prediction.error}")
        yield prediction


def _say(message: str, code: int = 0) -> int:
    print(f"epnas_predict: {message}", file=sys.stderr)
    return code


def run() -> None:
    """Is the command's entry point."""
    sys.exit(main(sys.argv))


if __name__ == "__main__":
    run()
