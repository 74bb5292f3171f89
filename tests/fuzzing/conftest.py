"""Lets the fuzzer's modules import each other, as tools/checks/fuzz.py does."""

import pathlib
import sys

_CHECKOUT = str(pathlib.Path(__file__).parents[2])
if _CHECKOUT not in sys.path:
    sys.path.append(_CHECKOUT)
