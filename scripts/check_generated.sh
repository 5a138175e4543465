#!/usr/bin/env bash
# Fails when proto/gen or the mesh's wire_pb2.py is not what proto/generate.py makes: check_generated.sh FOLDER (made and left
# behind)
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p "$(dirname "$1")"
.venv/bin/python proto/generate.py "$1"
stale() { echo "$1 is not current: make generate, then commit"; exit 1; }
for made in wire_pb2.py wire_pb2.pyi; do
    cmp "services/hector_mesh/$made" "$1/hector_mesh/$made" || stale "services/hector_mesh/$made"
done
diff --recursive --brief --exclude=__pycache__ --exclude=hector_mesh proto/gen "$1" || stale proto/gen
