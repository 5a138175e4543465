#!/usr/bin/env bash
# Builds both wheels from their sdists, installs them into a new venv on the run lock alone, and runs `hector`; installs
# hector-plugin by itself into another one, as plugin authors do, looks at what came with it, and tests a new plugin there.
# check_wheels.sh FOLDER (made and left behind)
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
mkdir -p "$1"
folder=$(cd "$1" && pwd)

for project in plugins .; do
    .venv/bin/uv build --quiet --no-build-isolation --python .venv/bin/python --out-dir "$folder/dist" "$project"
done
.venv/bin/python scripts/check_contents.py "$folder"/dist/*.whl

python=$folder/venv/bin/python
.venv/bin/python -m venv --without-pip "$folder/venv"
.venv/bin/uv pip install --quiet --python "$python" --require-hashes -r requirements/run.txt
.venv/bin/uv pip install --quiet --python "$python" --no-deps "$folder"/dist/*.whl
.venv/bin/uv pip check --quiet --python "$python"

cd "$folder" # away from the sources
"$folder/venv/bin/hector" version
"$folder/venv/bin/hector" --help >/dev/null
"$python" -c 'import hector.llm.v1, hector_mesh, hector_plugin'
"$folder/venv/bin/hector" plugin new new-tool >/dev/null

author=$folder/author/bin/python
"$folder/venv/bin/python" -m venv --without-pip "$folder/author"
"$root/.venv/bin/uv" pip install --quiet --python "$author" "$folder"/dist/hector_plugin-*.whl
came=$("$root/.venv/bin/uv" pip list --quiet --python "$author" --format freeze | sed 's/==.*//' | sort | xargs)
[[ $came == "grpcio hector-plugin protobuf typing-extensions" ]] || { echo "hector-plugin brings along: $came"; exit 1; }
cd new-tool
"$author" -m unittest -q
verdicts=$("$author" -m hector_plugin.conformance --only H,I,E,TO,S -- "$author" main.py)
grep -q '^ok *E2 ' <<<"$verdicts" || { echo "no google.rpc.ErrorInfo was read:"; echo "$verdicts"; exit 1; }
echo "a tool of hector-plugin, with grpcio and protobuf alone: $(tail -n 1 <<<"$verdicts")"
