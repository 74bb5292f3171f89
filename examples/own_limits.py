"""A search for networks that cost no more than the one you have, on images of its size.

Example: python examples/own_limits.py

What a network costs is counted before it is built, by the same rules as your model: parameters,
FLOPs, bytes moved, and FLOPs per byte (intensity), of which accelerators want many.
"""

import keras

import epnas_tf


def yours():
    """Returns a model of yours; its cost is what others may cost."""
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Conv2D(16, 3, padding="same", activation="relu"),
            keras.layers.Conv2D(32, 3, strides=2, padding="same", activation="relu"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(10),
        ]
    )


def main(work_dir="epnas_work/own_limits", **settings):
    """Searches digits within the cost of a model, and prints the networks beside it."""
    cost = epnas_tf.cost_of_model(yours())
    print(f"yours: {cost.params} parameters, {cost.flops} FLOPs, {cost.intensity:.1f} per byte")

    config = epnas_tf.SearchConfig(
        dataset="digits",
        work_dir=work_dir,
        max_params=cost.params,
        max_flops=cost.flops,
        min_intensity=0.8 * cost.intensity,  # a lower limit
        # limits="soft" would lower the reward of what breaks them, as the paper does.
        **{"branches": 4, "episodes": 2, "steps": 3} | settings,
    )
    found = epnas_tf.search(config)
    for network in found.networks[:3]:
        # A spec's cost is known without a model; it is the one that was held to the limits.
        cost = epnas_tf.cost(network.spec, (8, 8, 1), num_classes=10)
        kept = "keeps the limits" if network.feasible else "breaks one"
        print(
            f"{network.slot}: accuracy {network.accuracy:.3f}, {cost.params} parameters, "
            f"{cost.flops} FLOPs, {cost.intensity:.1f} per byte: {kept}"
        )
    return found


if __name__ == "__main__":
    main()
