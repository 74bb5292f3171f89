"""The settings of an export: which files, and on how many images they are made and measured."""

from __future__ import annotations

import dataclasses

from epnas_tf.fields import Settings, setting

FORMATS = ("keras", "saved_model", "litert", "litert_float16", "litert_int8", "onnx")
# ONNX is for who has the extra.
_USUAL = FORMATS[:-1]

PROBABILITIES, LOGITS = "probabilities", "logits"


@dataclasses.dataclass(frozen=True, kw_only=True)
class FileSettings(Settings):
    """What is written, and how it is measured."""

    formats: tuple[str, ...] = setting(
        _USUAL,
        "files to write; onnx needs pip install epnas_tf[onnx]",
        choices=FORMATS,
        common=True,
    )
    outputs: str = setting(
        PROBABILITIES,
        "what the files give for each class",
        choices=(PROBABILITIES, LOGITS),
        common=True,
    )
    calibration_images: int = setting(
        256,
        "training images by which the int8 file's ranges are chosen, taken by chance",
        least=1,
    )
    evaluation_images: int = setting(
        10_000,
        "test images (else validation images) that each file is run on, taken by chance from more",
        least=1,
    )

    def check_together(self) -> None:
        """Refuses an export of nothing."""
        if not self.formats:
            self.refuse("formats", f"must name at least one of {', '.join(FORMATS)}", self.formats)
