//! Runs a plugin inside its author's unit tests: the same door, the same checks, no process.
//!
//! ```no_run
//! # use hector_plugin::{Plugin, testing::Running};
//! # use hector_plugin::hector::plugin::v1::{GetInfoRequest, plugin_client::PluginClient};
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let plugin = Running::start(Plugin::new("mine", "1.0.0"), "{}").await?;
//! let info = PluginClient::new(plugin.channel()).get_info(GetInfoRequest::default()).await?;
//! assert_eq!(info.get_ref().name, "mine");
//! # Ok(()) }
//! ```

use std::path::PathBuf;
use std::time::Duration;
use std::{env, error, fs, io};

use tokio::task::JoinHandle;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

use crate::contracts::hector::plugin::v1::ConfigureRequest;
use crate::contracts::hector::plugin::v1::plugin_client::PluginClient;
use crate::ending::Ending;
use crate::launch::Address;
use crate::listening::{Listening, any};
use crate::plugin::Plugin;
use crate::serving::Served;
use crate::settings::is_warning;

/// A plugin that runs in this process; it ends when this is dropped.
#[derive(Debug)]
pub struct Running {
    channel: Channel,
    token: Token,
    end: Ending,
    serving: JoinHandle<io::Result<()>>,
}

impl Running {
    /// Starts a plugin and configures it. Fails if it refuses the configuration.
    pub async fn start(plugin: Plugin, config_json: &str) -> Result<Self, Box<dyn error::Error>> {
        Self::start_in(Folder::new()?, plugin, config_json).await
    }

    async fn start_in(
        folder: Folder,
        plugin: Plugin,
        config_json: &str,
    ) -> Result<Self, Box<dyn error::Error>> {
        let secret = format!("{:016x}", any());
        let end = Ending::new(Duration::from_secs(5));
        let address =
            if cfg!(unix) { Address::Folder(folder.0.clone()) } else { Address::Tcp("127.0.0.1:0".into()) };
        let listening = Listening::on(&address).await?;
        let target = listening.target();
        let served = Served::of(plugin, Some(secret.clone()), end.clone()).await;
        let serving = tokio::spawn(async move {
            let _kept = folder; // until nobody listens any more, and also if the test's runtime ends first
            served.on(listening).await
        });
        let target = if target.starts_with("unix:") { target } else { format!("http://{target}") };
        let channel = Endpoint::from_shared(target)?.connect().await?;
        let running = Self { channel, token: Token(secret.parse()?), end, serving };
        let request = ConfigureRequest { config_json: config_json.into(), ..Default::default() };
        let response = PluginClient::new(running.channel()).configure(request).await?;
        match response.get_ref().diagnostics.iter().find(|problem| !is_warning(problem)) {
            Some(problem) => Err(format!("{}: {}", problem.path, problem.summary).into()),
            None => Ok(running),
        }
    }

    /// A channel that shows the token, for any of the contracts' clients.
    pub fn channel(&self) -> InterceptedService<Channel, Token> {
        InterceptedService::new(self.channel.clone(), self.token.clone())
    }

    /// A channel that shows no token.
    pub fn stranger(&self) -> Channel {
        self.channel.clone()
    }

    /// Asks for the end and waits for it, as a host does.
    pub async fn stop(mut self) -> io::Result<()> {
        self.end.ask(None);
        (&mut self.serving).await?
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end.ask(Some(Duration::ZERO));
    }
}

/// Shows the token with each call.
#[derive(Clone, Debug)]
pub struct Token(MetadataValue<Ascii>);

impl Interceptor for Token {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("hector-token", self.0.clone());
        Ok(request)
    }
}

/// A new folder, which goes with this.
struct Folder(PathBuf);

impl Folder {
    fn new() -> io::Result<Self> {
        let path = env::temp_dir().join(format!("hector-{:016x}", any()));
        fs::create_dir(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0); // it may be gone
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_of_a_test_that_just_ends() {
        let folder = Folder::new().unwrap();
        let path = folder.0.clone();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let running = Running::start_in(folder, Plugin::new("mine", "1.0.0"), "{}").await.unwrap();
            assert!(path.is_dir());
            drop(running);
        });
        drop(runtime);
        assert!(!path.exists());
    }
}
