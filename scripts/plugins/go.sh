#!/usr/bin/env bash
# Builds the Go plugins into a folder, each one static program, after the SDK's own tests: go.sh OUT
# needs: go
# sources: plugins/sdk/go plugins/examples/go proto
set -euo pipefail
out=$1
# The same flags for all: with others, every dependency would be compiled once more.
export CGO_ENABLED=0 GOFLAGS="${GOFLAGS:-} -p=2 -trimpath"
examples=$PWD/plugins/examples/go

scripts/stubs.sh go "$out/stubs"
diff --recursive --brief plugins/sdk/go/hector "$out/stubs" ||
    { echo "the stubs are not what proto/ says: scripts/stubs.sh go, then commit"; exit 1; }

(cd plugins/sdk/go && go vet ./... && go test ./...)
(cd "$examples" && go vet ./... && go test ./...)
for example in tool llm reasoning embedder database parser agent guardrail; do
    (cd "$examples" && go build -ldflags='-s -w' -o "$out/$example" "./$example")
done
(cd "$examples/stock" && go vet ./... && go build -ldflags='-s -w' -o "$out/stock" .)
