#!/usr/bin/env bash
# Builds the Rust plugins into a folder, after the SDK's own tests and theirs: rust.sh OUT
# needs: cargo
# sources: plugins/sdk/rust plugins/examples/rust plugins/Cargo.toml proto/hector
set -euo pipefail
out=$1
# `git` would see the lock file that cargo writes beside Cargo.toml if it were not ignored.
cargo=(--workspace --release --jobs 2 --manifest-path plugins/Cargo.toml --target-dir "$out/target")

cargo build --bins "${cargo[@]}"
cargo test --quiet "${cargo[@]}"
for example in tool llm reasoning embedder database parser agent guardrail; do
    install "$out/target/release/example-$example" "$out/$example" # also while the old one runs
done
