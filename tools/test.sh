#!/usr/bin/env bash
# Checks style and types, then runs the whole test suite against the installed wheel.
# Usage: tools/test.sh [options of pytest]
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
source "$root/tools/setup_venv.sh"
scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT

python -m pip wheel --no-deps --wheel-dir "$scratch" "$root"
wheel="$(echo "$scratch"/epnas_tf-*.whl)"
python -m pip install "${wheel}[test,bench]"
# Again, because pip keeps an older build of the same version.
python -m pip install --no-deps --force-reinstall "$wheel"

cd "$root"
python -m ruff check .
python -m ruff format --check .
python -m mypy

# From another directory, so that what is tested is the wheel and not the checkout.
cd "$scratch"
unset PYTHONPATH
export EPNAS_TF_TEST_WHEEL=1 TF_CPP_MIN_LOG_LEVEL="${TF_CPP_MIN_LOG_LEVEL:-3}"
python -m pytest -c "$root/pyproject.toml" --rootdir "$root" "$root/tests" "$@"
