//! Makes Rust of the contracts. `protox` reads them, so no protoc has to be installed.

use std::path::{Path, PathBuf};
use std::{env, error, fs};

fn main() -> Result<(), Box<dyn error::Error>> {
    let here = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let contracts = [here.join("proto"), here.join("../../../proto")]
        .into_iter()
        .find(|folder| folder.join("hector").is_dir())
        .ok_or("the contracts are missing: proto/hector, beside Cargo.toml or at the root of Hector's repository")?;
    println!("cargo:rerun-if-changed={}", contracts.join("hector").display());
    let mut sources = Vec::new();
    collect(&contracts.join("hector"), &mut sources)?;
    sources.sort();
    let set = protox::compile(&sources, [&contracts])?;
    tonic_prost_build::configure()
        .build_transport(false)
        .generate_default_stubs(true)
        .emit_rerun_if_changed(false)
        .include_file("contracts.rs")
        // What stands indented in a comment of a contract would be taken for Rust, and tried as a test.
        .disable_comments(["."])
        .compile_fds(set)?;
    Ok(())
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, found)?;
        } else if path.extension().is_some_and(|ending| ending == "proto") {
            found.push(path);
        }
    }
    Ok(())
}
