//! Serves a plugin until its host has enough of it.

use std::convert::Infallible;
use std::error::Error;
use std::fs::File;
use std::future::Ready;
use std::io::{self, Write};
use std::process::ExitCode;
use std::task::{Context, Poll};

use tonic::body::Body;
use tonic::codegen::tokio_stream::wrappers;
use tonic::codegen::{BoxFuture, Service, http};
use tonic::server::{Grpc, UnaryService};
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use crate::call::Setup;
use crate::contracts::hector::plugin::v1::plugin_server::PluginServer;
use crate::door::{Door, Services};
use crate::ending::Ending;
use crate::identity::Identity;
use crate::launch::Launch;
use crate::listening::Listening;
use crate::logging;
use crate::plugin::{MESSAGE_BYTES, Plugin};

const GO_PLUGIN: &str = "plugin";

/// Serves until the host asks for the end; what is printed meanwhile goes to standard error, the host's log.
///
/// The host ends a plugin by its Shutdown rpc, by SIGTERM, or by closing its standard input; calls in flight get
/// HECTOR_DRAIN_S seconds. `--standalone ADDRESS` on the command line serves without a host.
pub fn serve(plugin: Plugin) -> ExitCode {
    let stdout = take_stdout();
    let launch = match Launch::read() {
        Ok(launch) => launch,
        Err(refused) => {
            eprintln!("{}", refused.sentence);
            return ExitCode::from(refused.code);
        }
    };
    logging::begin(&plugin.info.name);
    let served = stdout.and_then(|stdout| {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let served = runtime.block_on(run(plugin, launch, stdout));
        runtime.shutdown_background(); // work that cannot be interrupted must not hold the end
        served
    });
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the plugin cannot serve: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Keeps standard output for the handshake: a stray print must not be taken for it.
#[cfg(unix)]
fn take_stdout() -> io::Result<File> {
    use std::os::fd::AsFd;
    let kept = io::stdout().as_fd().try_clone_to_owned()?;
    rustix::stdio::dup2_stdout(io::stderr())?;
    Ok(kept.into())
}

#[cfg(windows)]
fn take_stdout() -> io::Result<File> {
    use std::os::windows::io::AsHandle;
    Ok(io::stdout().as_handle().try_clone_to_owned()?.into())
}

async fn run(plugin: Plugin, launch: Launch, mut stdout: File) -> io::Result<()> {
    let end = Ending::new(launch.drain);
    // Ctrl-C is for the host, which then ends us; without a host it is for us.
    end.on_signals(!launch.handshake)?;
    if launch.watch_stdin {
        end.on_end_of_stdin()?;
    }
    plugin.host.is_at(&launch.host_target);
    let name = plugin.info.name.clone();
    let listening = Listening::on(&launch.listen).await?;
    let (target, line) = (listening.target(), listening.line());
    let served = Served::of(plugin, launch.token, end).await;
    let serving = tokio::spawn(served.on(listening));
    log::debug!(target: logging::SDK, address = target.as_str(); "serving");
    if launch.handshake {
        stdout.write_all(line.as_bytes())?;
    } else {
        eprintln!("{name} listens on {target}");
    }
    drop(stdout);
    serving.await?
}

/// A plugin with everything around it, but no socket.
pub(crate) struct Served {
    door: Door,
    health: HealthReporter,
    names: Vec<String>,
    end: Ending,
}

impl Served {
    pub async fn of(plugin: Plugin, token: Option<String>, end: Ending) -> Self {
        let plugin = plugin.complete();
        plugin.host.knows_us_by(token.as_deref());
        let mut services: Services = plugin.services.clone();
        let identity = PluginServer::new(Identity::of(&plugin, end.clone()));
        services.add(identity.max_decoding_message_size(MESSAGE_BYTES));
        let names =
            services.names().map(String::from).chain([GO_PLUGIN.into(), String::new()]).collect::<Vec<_>>();
        let (health, server) = tonic_health::server::health_reporter();
        for name in &names {
            health.set_service_status(name, ServingStatus::Serving).await;
        }
        services.add(server);
        services.put("plugin.GRPCController", GoPluginController(end.clone()));
        let setup = Setup { configuration: plugin.configuration, host: plugin.host };
        Self { door: Door::new(services, token, setup, end.clone()), health, names, end }
    }

    /// Serves on a socket until the end; gives back an error only if that cannot be.
    pub async fn on(self, listening: Listening) -> io::Result<()> {
        let Self { door, mut health, names, end } = self;
        let ended = end.clone();
        let drained = async move {
            ended.wait().await;
            for name in &names {
                health.set_service_status(name, ServingStatus::NotServing).await;
                health.clear_service_status(name).await; // lets go of those who watch
            }
        };
        let server = Server::builder().http2_max_header_list_size(64 << 10).tcp_nodelay(true);
        let serving: BoxFuture<(), tonic::transport::Error> = match listening {
            #[cfg(unix)]
            Listening::Unix(listener, file) => Box::pin(async move {
                let incoming = wrappers::UnixListenerStream::new(listener);
                let served = server.serve_with_incoming_shutdown(door, incoming, drained).await;
                drop(file);
                served
            }),
            Listening::Tcp(listener, _) => {
                let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
                Box::pin(server.serve_with_incoming_shutdown(door, incoming, drained))
            }
        };
        let too_late = async {
            let grace = end.wait().await;
            tokio::time::sleep(grace).await;
        };
        tokio::select! {
            // "transport error" is all that tonic says of it; what it was stands below.
            served = serving => served.map_err(|error| {
                io::Error::other(error.source().map_or_else(|| error.to_string(), ToString::to_string))
            }),
            () = too_late => {
                log::warn!(target: logging::SDK, "left calls unfinished");
                Ok(())
            }
        }
    }
}

/// go-plugin's own way to end a plugin, for hosts that know no other; its messages are empty.
#[derive(Clone)]
struct GoPluginController(Ending);

impl UnaryService<()> for GoPluginController {
    type Response = ();
    type Future = Ready<Result<Response<()>, Status>>;

    fn call(&mut self, _: Request<()>) -> Self::Future {
        self.0.ask(None);
        std::future::ready(Ok(Response::new(())))
    }
}

impl Service<http::Request<Body>> for GoPluginController {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let controller = self.clone();
        Box::pin(async move {
            if !request.uri().path().ends_with("/Shutdown") {
                return Ok(Status::unimplemented("only Shutdown").into_http());
            }
            let codec = tonic_prost::ProstCodec::<(), ()>::default();
            Ok(Grpc::new(codec).unary(controller, request).await)
        })
    }
}
