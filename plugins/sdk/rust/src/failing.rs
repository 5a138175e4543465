//! How calls fail: a status with a reason for programs, or words for the model.

use std::collections::HashMap;
use std::fmt::Display;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

pub(crate) const DOMAIN: &str = "hector.plugin";

/// A status with a reason that programs can read, as `refused(Code::NotFound, "MODEL_NOT_FOUND", "…")`.
pub fn refused(code: Code, reason: &str, message: impl Into<String>) -> Status {
    let details = ErrorDetails::with_error_info(reason, DOMAIN, HashMap::new());
    Status::with_error_details(code, message, details)
}

/// What a caller is told of a panic; the panic hook has written why.
pub(crate) fn panicked() -> Status {
    refused(Code::Internal, "PLUGIN_PANICKED", "the plugin failed; its log says why")
}

/// Why a tool has no result.
#[derive(Debug)]
pub enum Failure {
    /// The tool ran and failed: the model reads these words, and may try another way.
    Told(String),
    /// The call could not be made at all.
    Refused(Status),
}

impl Failure {
    /// Lets the model read what went wrong.
    pub fn told(why: impl Display) -> Self {
        Self::Told(why.to_string())
    }
}

impl From<&str> for Failure {
    fn from(why: &str) -> Self {
        Self::Told(why.into())
    }
}

impl From<String> for Failure {
    fn from(why: String) -> Self {
        Self::Told(why)
    }
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        Self::Refused(status)
    }
}
