#!/usr/bin/env bash
# Turns proto/ into the committed stubs of an SDK, or into a folder to compare them with: stubs.sh go|typescript [FOLDER]
# The compiler is grpcio-tools' (make setup); its plugins come from the Go module proxy and npm, in the versions that the SDKs name.
set -euo pipefail
language=$1
root=$PWD
sdk=$root/plugins/sdk/$language
tools=$root/build/plugins/stubs
contracts=(common/v1/{message,tool,filter} plugin/v1/{plugin,host} tool/v1/tool llm/v1/llm embedder/v1/embedder
    reasoning/v1/reasoning document/v1/document vector/v1/vector guardrail/v1/guardrail
    agent/v1/{provider,agent,artifact,command,event,queue})
contracts=("${contracts[@]/#/hector/}")
contracts=("${contracts[@]/%/.proto}")
mkdir -p "$tools"
protoc() { "$root/.venv/bin/python" -m grpc_tools.protoc "$@"; }

case $language in
go)
    target=${2:-$sdk/hector}
    made=$(mktemp -d)
    trap 'rm -rf "$made"' EXIT
    (cd "$sdk" && go build -o "$tools/" google.golang.org/protobuf/cmd/protoc-gen-go)
    GOBIN=$tools go install google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.6.2
    PATH=$tools:$PATH protoc -Iproto --go_out="$made" --go-grpc_out="$made" "${contracts[@]}" \
        --go_opt=module=github.com/hector-mesh/hector-go --go-grpc_opt=module=github.com/hector-mesh/hector-go
    rm -rf "$target"
    mv "$made/hector" "$target"
    ;;
typescript)
    target=${2:-$sdk/src/gen}
    made=$(mktemp -d)
    trap 'rm -rf "$made"' EXIT
    [ -x "$tools/node_modules/.bin/protoc-gen-es" ] ||
        npm install --silent --no-save --no-package-lock --prefix "$tools" @bufbuild/protoc-gen-es@2.17.0
    own=$("$root/.venv/bin/python" -c 'import grpc_tools, pathlib; print(pathlib.Path(grpc_tools.__file__).parent / "_proto")')
    protoc -Iproto -I"$sdk/proto" -I"$own" --plugin="$tools/node_modules/.bin/protoc-gen-es" --es_out="$made" \
        --es_opt=target=ts,import_extension=js "${contracts[@]}" wire.proto health.proto
    rm -rf "$target"
    mv "$made" "$target"
    trap - EXIT
    chmod 755 "$target"
    ;;
esac
