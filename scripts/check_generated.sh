#!/usr/bin/env bash
# Fails when proto/gen is not what proto/generate.py makes of proto/: check_generated.sh FOLDER (made and left behind)
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p "$(dirname "$1")"
.venv/bin/python proto/generate.py "$1"
diff --recursive --brief --exclude=__pycache__ proto/gen "$1" || { echo "proto/gen is not current: make generate, then commit"; exit 1; }
