"""What an exported model says of image files, read as a search reads them."""

from __future__ import annotations

import concurrent.futures
import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from epnas_tf.data import image_file, image_folder
from epnas_tf.data.decoding import UnreadableImageError
from epnas_tf.exporting.settings import LOGITS
from epnas_tf.predicting import export_files, probabilities, runtimes
from epnas_tf.predicting.predictions import Guess, Prediction

# Images that are read, and run where a model takes several, at once.
_BATCH = 32
# Full scale of a model that says none: that of files.
_BYTES = 255.0

Images = str | Path | Iterable[str | Path]


class Classifier:
    """Says what the images in files show; holds a model that was exported.

    Attributes:
      path: the model's file or folder.
      names: of the classes, in the order of the model's outputs.
      is_named: whether a file tells them; else they are numbers from 0.
    """

    def __init__(self, model: str | Path, labels: str | Path = ""):
        """Loads a model.

        Args:
          model: a .keras, .tflite or .onnx file, the folder of a SavedModel, or that of an export,
            of which the first of these is taken.
          labels: file of the classes' names, a line each, in the order of the outputs; by default
            `labels.txt` beside the model, else what `export.json` there says.

        Raises:
          ValueError: the model cannot be loaded, or the names do not fit it.
          OSError: a file cannot be read.
        """
        found = export_files.find(model, labels)
        described = found.described
        full_scale = _BYTES if described is None else described.full_scale
        self.path = found.path
        self._model = runtimes.load(found.path, found.format, full_scale)
        size = None if described is None else described.input_shape[:2]
        self._size = self._model.size or size
        self._logits = None if described is None else described.outputs == LOGITS
        self.is_named = found.names is not None
        self.names = found.names or tuple(map(str, range(self._model.classes)))
        if len(self.names) != self._model.classes:
            raise ValueError(
                f"{labels or 'what stands beside the model'} must name the {self._model.classes} "
                f"classes of {self.path}, got {len(self.names)} names"
            )

    @staticmethod
    def files(images: Images) -> list[str]:
        """Returns the files that paths mean, those of a folder in its place; an empty one itself.

        Raises:
          OSError: a folder cannot be read.
        """
        found: list[Path] = []
        for path in map(Path, [images] if isinstance(images, str | Path) else images):
            found += (image_folder.visible_files(path) if path.is_dir() else []) or [path]
        return list(map(str, found))

    def predict(self, images: Images, top: int = 5) -> Iterator[Prediction]:
        """Yields what the model says of each image, in their order.

        Images are decoded and resized as those of a search are. What cannot be read gets a
        prediction that says why, and the rest goes on.

        Args:
          images: a file, or several; of a folder every visible file is taken, those below too.
          top: most classes named, the likeliest first.

        Raises:
          ValueError: top is below 1; raised at once, not where the first image is asked for.
          OSError: a folder cannot be read; likewise.
        """
        if top < 1:
            raise ValueError(f"top must be at least 1, got {top}")
        return self._predictions(iter(self.files(images)), top)

    def _predictions(self, paths: Iterator[str], top: int) -> Iterator[Prediction]:
        most = _BATCH if self._size else 1  # where each has a size of its own
        with concurrent.futures.ThreadPoolExecutor() as pool:
            while batch := list(itertools.islice(paths, most)):
                read = list(pool.map(self._read, batch))
                rows = self._probabilities([image for image in read if not isinstance(image, str)])
                for path, image in zip(batch, read, strict=True):
                    if isinstance(image, str):
                        yield Prediction(path, error=image)
                    else:
                        yield self._prediction(path, next(rows), top)

    def _read(self, path: str) -> np.ndarray | str:
        """Returns an image as the model takes it, or why there is none."""
        try:
            image = image_file.read(Path(path), self._size)
        except IsADirectoryError:
            return "a folder that holds no files"
        except OSError as error:
            return error.strerror or str(error)
        except UnreadableImageError as error:
            return str(error)
        return image_file.of_channels(image, self._model.channels)

    def _probabilities(self, images: list[np.ndarray]) -> Iterator[np.ndarray]:
        if images:
            yield from probabilities.of(self._model.run(np.stack(images)), self._logits)

    def _prediction(self, path: str, row: np.ndarray, top: int) -> Prediction:
        if not np.isfinite(row).all():
            return Prediction(path, error="the model's outputs for it are not finite")
        first = np.argsort(-row, kind="stable")[:top]
        guesses = (Guess(self.names[index], int(index), float(row[index])) for index in first)
        return Prediction(path, tuple(guesses))
