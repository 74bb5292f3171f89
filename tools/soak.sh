#!/usr/bin/env bash
# Long checks of what docs/RELIABILITY.md promises: memory, kills by the clock, hostile input.
# Usage, in a checkout with its requirements installed: tools/soak.sh [hundreds]; about half an hour.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
hundreds="${1:-1}"
python -m tools.soak memory --children=$((100 * hundreds))
python -m tools.soak kills --kills=$((40 * hundreds))
python -m tools.fuzz --inputs=$((100000 * hundreds))
