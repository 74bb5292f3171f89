#!/usr/bin/env bash
# What tools/test.sh leaves out: the tests marked nightly, then the soak.
# Usage: tools/checks/nightly.sh [hundreds, as tools/checks/soak.sh takes them]
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
# One after another: these tests start several processes of their own.
"$root/tools/test.sh" -n 0 -m nightly
# The environment that test.sh has filled.
source "$root/tools/setup_venv.sh"
"$root/tools/checks/soak.sh" "$@"
