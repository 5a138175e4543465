//! How a plugin learns that it is to end: an rpc, a signal, or a host that is gone.

use std::io;
use std::time::Duration;

use tokio::sync::watch;

/// Waits for the first who asks for the end.
#[derive(Clone, Debug)]
pub(crate) struct Ending {
    asked: watch::Sender<Option<Duration>>,
    drain: Duration,
}

impl Ending {
    pub fn new(drain: Duration) -> Self {
        Self { asked: watch::Sender::new(None), drain }
    }

    /// Asks for the end, with the usual time for calls in flight if no other is said.
    pub fn ask(&self, grace: Option<Duration>) {
        self.asked.send_if_modified(|asked| {
            let first = asked.is_none();
            asked.get_or_insert(grace.unwrap_or(self.drain));
            first
        });
    }

    /// Whether somebody asked.
    pub fn is_asked(&self) -> bool {
        self.asked.borrow().is_some()
    }

    /// Waits until somebody asks; gives the time that calls in flight have.
    pub async fn wait(&self) -> Duration {
        let mut asked = self.asked.subscribe();
        match asked.wait_for(Option::is_some).await {
            Ok(grace) => grace.unwrap_or(self.drain),
            Err(_) => self.drain, // cannot be: we hold the sender
        }
    }

    /// Listens to SIGTERM, and to Ctrl-C where it is not the host's to handle.
    pub fn on_signals(&self, interrupt: bool) -> io::Result<()> {
        let end = self.clone();
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            let mut terminate = signal(SignalKind::terminate())?;
            let mut interrupted = signal(SignalKind::interrupt())?;
            tokio::spawn(async move {
                loop {
                    tokio::select! {
                        _ = terminate.recv() => end.ask(None),
                        _ = interrupted.recv() => if interrupt { end.ask(None) },
                    }
                }
            });
        }
        #[cfg(not(unix))]
        tokio::spawn(async move {
            while tokio::signal::ctrl_c().await.is_ok() {
                if interrupt {
                    end.ask(None);
                }
            }
        });
        Ok(())
    }

    /// Takes the end of standard input for the end of the host, which holds the other end.
    pub fn on_end_of_stdin(&self) -> io::Result<()> {
        let end = self.clone();
        std::thread::Builder::new().name("watch-stdin".into()).spawn(move || {
            let _ = io::copy(&mut io::stdin().lock(), &mut io::sink()); // who cannot read hears of no host either
            end.ask(None);
        })?;
        Ok(())
    }
}
