"""A search in arrays of your own, through Keras Tuner's API: search, best models, your own fit.

Example: python examples/own_arrays.py
"""

import keras
from sklearn.datasets import load_digits

import epnas_tf


def tell(record):
    """Prints what is better than all before it; in your program it may draw, log or notify."""
    if record.is_best:
        kept = "kept" if record.feasible else "broken"
        print(f"{record.done}/{record.total}: {record.accuracy:.3f}, limits {kept}: {record.slot}")


def main(directory="epnas_work", epochs=3, **sizes):
    """Searches networks for 8x8 digits of at most 20,000 parameters and keeps the best."""
    digits = load_digits()
    x, y = digits.images[:-300], digits.target[:-300]  # arrays as `fit` takes them
    x_test, y_test = digits.images[-300:], digits.target[-300:]

    oracle = epnas_tf.EPNASOracle(
        epnas_tf.layerwise_space((8, 8), channels=(8, 16, 32), max_layers=6),
        constraints=[epnas_tf.Constraint("params", upper=20e3)],
        stop_hopeless=0.1,  # in place of keras.callbacks.EarlyStopping
        **{"branches": 4, "episodes": 2, "steps": 3} | sizes,
    )
    tuner = epnas_tf.EPNASTuner(oracle, directory=directory, project_name="own_arrays")
    tuner.search(x, y, validation_split=0.2, epochs=epochs, verbose=0, on_trial_end=tell)
    tuner.results_summary(3)

    # Trained and compiled: takes pixels as they came, gives logits.
    best = tuner.get_best_models()[0]
    labels = tuner.encode_labels(y_test)
    print(f"found: test accuracy {best.evaluate(x_test, labels, verbose=0)[1]:.3f}")

    # The same network from fresh weights is a Keras model as any other, callbacks and all.
    fresh = tuner.hypermodel.build(tuner.get_best_hyperparameters()[0])
    patience = keras.callbacks.EarlyStopping(patience=3, restore_best_weights=True)
    history = fresh.fit(
        x,
        tuner.encode_labels(y),
        validation_split=0.2,
        epochs=5 * epochs,
        callbacks=[patience],
        verbose=0,
    )
    accuracy = fresh.evaluate(x_test, labels, verbose=0)[1]
    print(f"fitted for {len(history.epoch)} epochs: test accuracy {accuracy:.3f}")
    return fresh


if __name__ == "__main__":
    main()
