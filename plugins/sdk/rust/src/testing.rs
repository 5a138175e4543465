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
        let secret = format!("{:016x}", any());
        let end = Ending::new(Duration::from_secs(5));
        let (address, folder) = somewhere()?;
        let listening = Listening::on(&address).await?;
        let target = listening.target();
        let served = Served::of(plugin, Some(secret.clone()), end.clone()).await;
        let serving = tokio::spawn(async move {
            let served = served.on(listening).await;
            folder.map_or(Ok(()), fs::remove_dir_all)?;
            served
        });
        let target = if target.starts_with("unix:") { target } else { format!("http://{target}") };
        let channel = Endpoint::from_shared(target)?.connect().await?;
        let running = Self { channel, token: Token(secret.parse()?), end, serving };
        let request = ConfigureRequest { config_json: config_json.into(), ..Default::default() };
        let response = PluginClient::new(running.channel()).configure(request).await?;
        match response.get_ref().diagnostics.first() {
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

fn somewhere() -> io::Result<(Address, Option<std::path::PathBuf>)> {
    if !cfg!(unix) {
        return Ok((Address::Tcp("127.0.0.1:0".into()), None));
    }
    let folder = env::temp_dir().join(format!("hector-{:016x}", any()));
    fs::create_dir(&folder)?;
    Ok((Address::Folder(folder.clone()), Some(folder)))
}
