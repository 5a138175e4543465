#!/usr/bin/env bash
# Builds the Java plugins into a folder, each a script that starts a jar, after the SDK's own tests: java.sh OUT
# needs: java mvn
# sources: plugins/sdk/java plugins/examples/java proto/hector
set -euo pipefail
out=$1
target=$out/target
# Maven is over before the better of the two compilers pays for what it takes.
export MAVEN_OPTS="${MAVEN_OPTS:-} -XX:TieredStopAtLevel=1 -XX:+UseSerialGC"

mvn --quiet --batch-mode --no-transfer-progress -f plugins/examples/java/pom.xml "-Dhector.build=$target" package
for example in tool llm reasoning embedder database parser agent guardrail; do
    sed "s|hector-example|example-$example|g" plugins/sdk/java/project/hector-example >"$out/$example"
    chmod 755 "$out/$example"
    "$out/$example" --rehearse
done
