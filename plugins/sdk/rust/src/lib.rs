//! Plugins for Hector, written in Rust.
//!
//! A plugin is a process that serves one or more of Hector's contracts over gRPC. This crate does what is the
//! same for all of them: it reads how it was started, writes the handshake line, checks the host's token, serves
//! health and `hector.plugin.v1.Plugin`, logs, and ends without failing a call. The contracts themselves are
//! tonic's ordinary traits, in [`hector`].
//!
//! ```no_run
//! use hector_plugin::{Call, Failure, Plugin, serve, tools};
//!
//! tools! {
//!     /// Turns a text into upper case.
//!     #[hint(read_only, idempotent)]
//!     async fn upper(_call: Call, /** The text. */ text: String) -> Result<String, Failure> {
//!         Ok(text.to_uppercase())
//!     }
//! }
//!
//! fn main() -> std::process::ExitCode {
//!     serve(Plugin::new("upper", "1.0.0").tools(tools()))
//! }
//! ```

extern crate self as hector_plugin; // `tools!` speaks of this crate by name, here too

mod call;
mod door;
mod ending;
mod failing;
mod host;
mod identity;
mod launch;
mod listening;
mod logging;
mod plugin;
mod serving;
mod settings;
mod streaming;
pub mod testing;
mod tools;
mod typed;

/// The contracts, as tonic makes them: `hector::llm::v1::llm_provider_server::LlmProvider` and so on.
#[allow(missing_docs, clippy::all)]
mod contracts {
    include!(concat!(env!("OUT_DIR"), "/contracts.rs"));
}

pub use call::Caller;
pub use contracts::hector;
pub use failing::{Failure, refused};
pub use host::Client;
pub use plugin::Plugin;
pub use serving::serve;
pub use settings::Settings;
pub use streaming::{Pieces, streaming};
pub use tools::{Call, Outcome, Tools};
pub use {log, prost, prost_types, schemars, serde, serde_json, tokio, tonic};
