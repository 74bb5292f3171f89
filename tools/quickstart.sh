#!/usr/bin/env bash
# Installs epnas_tf and searches the embedded digits: from a fresh checkout to a result in minutes.
# Usage: tools/quickstart.sh [flags of epnas_search]
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
source "$root/tools/setup_venv.sh"

python -m pip install "$root"
epnas_search --preset=digits_quickstart --work_dir=epnas_work/digits_quickstart "$@"
