"""From a folder of your photographs to a model that names others: search, train, export, predict.

Example: python examples/own_images.py photos holiday.jpg      (photos holds a folder per class)
"""

import sys

import epnas_tf


def main(photos, images, work_dir="epnas_work/own_images", search=None, training=None, files=None):
    """Finds a network for the photographs, trains it to the end and names images with it."""
    settings = {"image_size": 64, "max_params": 100e3, "max_flops": 25e6, "max_hours": 1.0}
    settings |= {"dataset": f"folder:{photos}", "work_dir": work_dir} | (search or {})
    found = epnas_tf.search(epnas_tf.SearchConfig(**settings))
    print(f"found {found.best.slot}: {found.best.cost.params} parameters")

    final = epnas_tf.retrain(work_dir=work_dir, **(training or {"recipe": "default"}))
    print(f"{final.measured_on} accuracy {final.accuracy:.3f}")

    (export,) = epnas_tf.export(work_dir=work_dir, **(files or {}))
    print(f"files for other programs: {export.folder}")

    for prediction in epnas_tf.Classifier(export.folder).predict(images, top=1):
        for guess in prediction.guesses:
            print(f"{prediction.image}: {guess.name} ({guess.probability:.0%})")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
