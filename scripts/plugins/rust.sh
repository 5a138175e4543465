#!/usr/bin/env bash
# Builds the Rust plugins into a folder, after the SDK's own tests and theirs: rust.sh OUT
# needs: cargo
# sources: plugins/sdk/rust plugins/examples/rust plugins/Cargo.toml proto/hector
set -euo pipefail
out=$1
examples=(tool llm reasoning embedder database parser agent guardrail)
# `git` would see the lock file that cargo writes beside Cargo.toml if it were not ignored.
cargo=(--workspace --release --jobs 2 --manifest-path plugins/Cargo.toml --target-dir "$out/target")
# What is ours runs for moments and waits for its callers: the optimizer would take more than it saves, three times as long as the rest.
# The same for both: with other flags, all of it would be compiled once more.
for package in hector-plugin "${examples[@]/#/example-}"; do cargo+=(--config "profile.release.package.$package.opt-level=0"); done

cargo build --bins "${cargo[@]}"
cargo test --quiet "${cargo[@]}"
for example in "${examples[@]}"; do
    install "$out/target/release/example-$example" "$out/$example" # also while the old one runs
done
