"""From a spec to a Keras model, and from any Keras CNN to its cost."""

import epnas_tf.backend

from epnas_tf.modeling.build import build_model as build_model
from epnas_tf.modeling.counting import cost_of_model as cost_of_model
from epnas_tf.modeling.layers import BUILDERS as BUILDERS
