#!/usr/bin/env bash
# Fails unless `make serve` ends with an answer that names the page it came from. Uses a free port.
set -euo pipefail
cd "$(dirname "$0")/.."
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
answer=$(make --no-print-directory serve ONCE=1 PORT="$port")
echo "$answer"
grep -qE '\.md\b' <<<"${answer#*hector call}" || { echo "the answer names no page"; exit 1; }
