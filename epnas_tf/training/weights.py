"""How much each training image counts in the loss.

A batch's loss is the mean over its images of weight * cross-entropy. It is not divided by the sum
of the weights: that differs from batch to batch, and shares of micro-batches and replicas would not
add up. So weights that are all 2 are a loss twice as steep.
"""

from __future__ import annotations

import numpy as np

from epnas_tf.data.dataset import Split

# A class of a hundredth of its even share would else drive every update it is in.
MOST = 10.0


def balanced(labels: np.ndarray, num_classes: int) -> np.ndarray:
    """Returns each class' weight: the more the fewer images it has, 1 for an even share.

    Args:
      labels: of the training split, which holds every class.
      num_classes: labels are 0..num_classes-1.
    """
    images = np.bincount(labels, minlength=num_classes)
    return np.minimum(len(labels) / (num_classes * images), MOST).astype(np.float32)


def loss_weights(train: Split, class_weight: str, num_classes: int) -> np.ndarray | None:
    """Returns the weight of each training image, float32 [n]; None where all count alike.

    Args:
      train: may have weights of its own; both kinds are multiplied.
      class_weight: a value of the setting.
      num_classes: labels are 0..num_classes-1.
    """
    if class_weight == "none":
        return train.weights
    by_class = balanced(train.labels, num_classes)[train.labels]
    return by_class if train.weights is None else train.weights * by_class
