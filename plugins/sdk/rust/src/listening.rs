//! The socket that a plugin listens on, and the line that says where it is.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use tokio::net::TcpListener;

use crate::launch::Address;

/// A socket that is listened on; a unix socket's file goes with it.
#[derive(Debug)]
pub(crate) enum Listening {
    #[cfg(unix)]
    Unix(tokio::net::UnixListener, SocketFile),
    Tcp(TcpListener, SocketAddr),
}

impl Listening {
    pub async fn on(address: &Address) -> io::Result<Self> {
        match address {
            Address::Tcp(address) => {
                let listener = TcpListener::bind(address).await?;
                let bound = listener.local_addr()?;
                Ok(Self::Tcp(listener, bound))
            }
            Address::Folder(folder) => Self::at(folder.join(format!("p{:08x}.sock", any() as u32))),
            Address::Path(path) => Self::at(path.clone()),
        }
    }

    #[cfg(unix)]
    fn at(path: PathBuf) -> io::Result<Self> {
        let listener = tokio::net::UnixListener::bind(&path)
            .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))?;
        Ok(Self::Unix(listener, SocketFile(path)))
    }

    #[cfg(not(unix))]
    fn at(path: PathBuf) -> io::Result<Self> {
        let sentence = format!("{}: no unix sockets here; use 127.0.0.1:0", path.display());
        Err(io::Error::new(io::ErrorKind::Unsupported, sentence))
    }

    /// The address as gRPC's clients take it.
    pub fn target(&self) -> String {
        match self {
            #[cfg(unix)]
            Self::Unix(_, file) => format!("unix:{}", file.0.display()),
            Self::Tcp(_, bound) => bound.to_string(),
        }
    }

    /// What the host waits for on standard output.
    pub fn line(&self) -> String {
        match self {
            #[cfg(unix)]
            Self::Unix(_, file) => format!("1|1|unix|{}|grpc|\n", file.0.display()),
            Self::Tcp(_, bound) => format!("1|1|tcp|{bound}|grpc|\n"),
        }
    }
}

/// Removes the socket's file when nobody listens any more.
#[derive(Debug)]
pub(crate) struct SocketFile(pub PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0); // the host may have been faster
    }
}

/// Any number: the standard library's hash keys are random.
pub(crate) fn any() -> u64 {
    RandomState::new().build_hasher().finish()
}
