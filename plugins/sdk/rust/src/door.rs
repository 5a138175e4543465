//! The one way in: looks at the token, finds the service, and keeps a failing handler from being more than one failed call.

use std::collections::HashMap;
use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::time::timeout;
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service, http};
use tonic::server::NamedService;
use tonic::{Code, Status};

use crate::call::{Setup, TIMEOUT, grpc_timeout};
use crate::ending::Ending;
use crate::failing::{panicked, refused};

const TOKEN: &str = "hector-token";
const HEALTH: &str = "grpc.health.v1.Health";

const TICK: Duration = Duration::from_millis(2);
const NO_DEADLINE: Duration = Duration::from_secs(30 * 365 * 86_400);

type Request = http::Request<Body>;
type Response = http::Response<Body>;
type Handler = Arc<dyn Fn(Request) -> BoxFuture<Response, Infallible> + Send + Sync>;

/// The services behind the door, by full name.
#[derive(Clone, Default)]
pub(crate) struct Services(HashMap<String, Handler>);

impl Services {
    /// Adds what tonic made of a contract.
    pub fn add<S>(&mut self, service: S)
    where
        S: NamedService
            + Service<Request, Response = Response, Error = Infallible>
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send + 'static,
    {
        self.put(S::NAME, service);
    }

    /// Adds a service by a name of its own.
    pub fn put<S>(&mut self, name: &str, service: S)
    where
        S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
    {
        let handler: Handler = Arc::new(move |request| Box::pin(service.clone().call(request)));
        self.0.insert(name.into(), handler);
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

/// Lets calls in.
#[derive(Clone)]
pub(crate) struct Door {
    services: Arc<Services>,
    token: Option<Arc<str>>,
    setup: Arc<Setup>,
    end: Ending,
}

impl Door {
    pub fn new(services: Services, token: Option<String>, setup: Setup, end: Ending) -> Self {
        Self { services: Arc::new(services), token: token.map(Into::into), setup: Arc::new(setup), end }
    }

    /// Health is answered without a token, since probes have none; a wrong one is refused there too.
    fn refusal(&self, service: &str, request: &Request) -> Option<Status> {
        let shown = request.headers().get(TOKEN);
        if let Some(token) = &self.token {
            let right = shown.map(|shown| alike(shown.as_bytes(), token.as_bytes()));
            if !right.unwrap_or(service == HEALTH) {
                let what = if shown.is_some() { "another" } else { "no" };
                let sentence = format!("the call shows {what} {TOKEN}: the host has the right one");
                return Some(refused(Code::Unauthenticated, "PLUGIN_TOKEN_REQUIRED", sentence));
            }
        }
        (self.end.is_asked() && service != HEALTH).then(|| {
            refused(Code::Unavailable, "PLUGIN_STOPPING", "the plugin is stopping; call its successor")
        })
    }

    async fn answer(self, mut request: Request) -> Response {
        let path = request.uri().path().to_string();
        let service = path.split('/').nth(1).unwrap_or_default();
        if let Some(status) = self.refusal(service, &request) {
            return status.into_http();
        }
        let Some(handler) = self.services.0.get(service) else {
            return Status::unimplemented(format!("the plugin does not serve {path}")).into_http();
        };
        request.headers_mut().remove(TOKEN); // nobody's business behind the door
        request.extensions_mut().insert(self.setup.clone());
        let left = request.headers().get(TIMEOUT).and_then(|value| grpc_timeout(value.to_str().ok()?));
        // tonic watches the deadline as well, and says CANCELLED of it: so ours is a little sooner.
        let left = left.map_or(NO_DEADLINE, |left| left.saturating_sub(TICK));
        match timeout(left, AssertUnwindSafe(handler(request)).catch_unwind()).await {
            Err(_) => {
                Status::deadline_exceeded("the call's deadline was over before it had an answer").into_http()
            }
            Ok(Ok(Ok(response))) => oversize_is_exhaustion(response),
            Ok(Err(_)) => panicked().into_http(),
        }
    }
}

impl Service<Request> for Door {
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let door = self.clone();
        Box::pin(async move { Ok(door.answer(request).await) })
    }
}

/// tonic says OUT_OF_RANGE of a message that is too long; everybody else says RESOURCE_EXHAUSTED.
fn oversize_is_exhaustion(response: Response) -> Response {
    match Status::from_header_map(response.headers()) {
        Some(status)
            if status.code() == Code::OutOfRange && status.message().contains("message length too large") =>
        {
            Status::resource_exhausted(status.message()).into_http()
        }
        _ => response,
    }
}

/// Compares without telling by its time how much is right.
fn alike(shown: &[u8], token: &[u8]) -> bool {
    let differences = shown.iter().zip(token).fold(0, |sum, (one, other)| sum | (one ^ other));
    shown.len() == token.len() && differences == 0
}
