#!/usr/bin/env bash
# Builds the TypeScript plugins into a folder, each started by a small script, after the SDK's own tests: typescript.sh OUT
# needs: node npm
# sources: plugins/sdk/typescript plugins/examples/typescript proto
set -euo pipefail
out=$1

scripts/stubs.sh typescript "$out/stubs"
diff --recursive --brief plugins/sdk/typescript/src/gen "$out/stubs" ||
    { echo "the stubs are not what proto/ says: scripts/stubs.sh typescript, then commit"; exit 1; }

# Where npm and tsc write is no place of ours: the sources are copied, in the same places as seen from each other.
work=$out/work
mkdir -p "$work"
rm -rf "$work"/sdk/typescript/{src,test,dist} "$work"/examples/typescript/{tool,llm,reasoning,embedder,dist}
for part in sdk examples; do
    mkdir -p "$work/$part/typescript"
    git ls-files -z --cached --others --exclude-standard -- "plugins/$part/typescript" |
        tar --create --null --files-from=- | tar --extract --directory="$work/$part/typescript" --strip-components=3
done

install() { npm install --no-audit --no-fund --no-package-lock --ignore-scripts --loglevel=error; }
(cd "$work/sdk/typescript" && install && npm test)
(cd "$work/examples/typescript" && install && npm test)
for example in tool llm reasoning embedder; do
    printf '#!/bin/sh\nexec node "%s" "$@"\n' "$work/examples/typescript/dist/$example/main.js" >"$out/$example"
    chmod +x "$out/$example"
done
