#!/usr/bin/env bash
# Compiles requirements/*.txt from the two pyproject files: hashes, no index addresses, every platform and Python >= 3.11.
# Pins that stand are kept; UPGRADE=1 takes the newest of everything.
set -euo pipefail
cd "$(dirname "$0")/.."

compile() {
    local output=requirements/$1
    shift
    .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
        --no-emit-package hector --no-emit-package hector-plugin ${UPGRADE:+--upgrade} \
        --output-file "$output" "$@" >/dev/null
}

compile dev.txt --extra dev pyproject.toml plugins/pyproject.toml
# The others are parts of dev.txt, in the same versions.
compile run.txt --no-annotate --extra all --constraint requirements/dev.txt pyproject.toml plugins/pyproject.toml
compile build.txt --no-annotate --constraint requirements/dev.txt - <<<hatchling
compile uv.txt --no-annotate --constraint requirements/dev.txt - <<<uv
# A venv of its own: tests call us with the SDK of A2A 0.3, too.
compile a2a-0.3.txt --no-annotate - <<<$'a2a-sdk==0.3.26\ngrpcio'
