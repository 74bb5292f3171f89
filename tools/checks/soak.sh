#!/usr/bin/env bash
# Long checks of what docs/RELIABILITY.md promises: memory, kills by the clock, hostile input.
# Usage, in a checkout with its requirements installed: tools/checks/soak.sh [hundreds]. An hour.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
hundreds="${1:-1}"
python -m tools.checks.soak memory --children=$((100 * hundreds))
python -m tools.checks.soak images --children=$((400 * hundreds)) --growth=0.05
python -m tools.checks.soak kills --kills=$((40 * hundreds))
python -m tools.checks.fuzz --inputs=$((100000 * hundreds))
