#!/usr/bin/env bash
# Checks style and types, then runs the test suite against the installed wheel, on all cores.
# Usage: tools/test.sh [options of pytest]. What takes longest is left to tools/checks/nightly.sh.
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
# A worker per core with a thread each. Tests go out in the order of their files, so that those of
# a file share its fixtures, and a worker that is done takes over half of what another has left.
# Operations still run side by side: two replicas in a process wait for one another.
export OMP_NUM_THREADS=1 TF_NUM_INTRAOP_THREADS=1
workers=(-n logical --maxprocesses 8 --dist worksteal)
python -m pytest -c "$root/pyproject.toml" --rootdir "$root" "$root/tests" \
  "${workers[@]}" -m "not nightly" "$@"
