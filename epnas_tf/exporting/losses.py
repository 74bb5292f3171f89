"""Where a network of integers loses: how far each operation's result is from that of floats."""

from __future__ import annotations

import epnas_tf.backend
