"""The main program of every py_test of BUILD: runs pytest on the test file it is given."""

import sys

import pytest

if __name__ == "__main__":
    sys.exit(pytest.main(["--import-mode=importlib", *sys.argv[1:]]))
