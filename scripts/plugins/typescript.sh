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
for part in sdk examples; do
    mkdir -p "$work/$part/typescript"
    find "$work/$part/typescript" -mindepth 1 -maxdepth 1 ! -name node_modules -exec rm -rf {} + # what an older build left
    git ls-files -z --cached --others --exclude-standard -- "plugins/$part/typescript" |
        tar --create --null --files-from=- | tar --extract --directory="$work/$part/typescript" --strip-components=3
done

install() { npm install --no-audit --no-fund --no-package-lock --ignore-scripts --loglevel=error; }
# One process for all tests of a folder: npm test starts one for each file, and each loads the SDK again.
try() { printf 'import "./%s";\n' */*.test.js >all.js && node --test --test-timeout=60000 all.js; }
(cd "$work/sdk/typescript" && install && npm run build && npx tsc -p test && cd dist-test && try)
(cd "$work/examples/typescript" && install && npm run build && cd dist && try)
for example in tool llm reasoning embedder database parser agent guardrail; do
    printf '#!/bin/sh\nexec node "%s" "$@"\n' "$work/examples/typescript/dist/$example/main.js" >"$out/$example"
    chmod +x "$out/$example"
done
