#!/usr/bin/env bash
# Builds the Rust plugins into a folder, after the SDK's own tests: rust.sh OUT
# needs: cargo
# sources: plugins/sdk/rust plugins/examples/rust plugins/Cargo.toml proto/hector
set -euo pipefail
out=$1
# `git` would see the lock file that cargo writes beside Cargo.toml if it were not ignored.
cargo=(--release --jobs 2 --manifest-path plugins/Cargo.toml --target-dir "$out/target")

cargo build --workspace --bins "${cargo[@]}"
cargo test --package hector-plugin --package example-tool --quiet "${cargo[@]}"
for example in tool llm reasoning embedder; do
    install "$out/target/release/example-$example" "$out/$example" # also while the old one runs
done
