//! Tools as functions: their schema comes from their arguments' type.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tonic::codegen::BoxStream;
use tonic::{Code, Request, Response, Status, async_trait};

use crate::call::Caller;
use crate::contracts::hector::common::v1::{Part, Tool, ToolAnnotations};
use crate::contracts::hector::tool::v1::stream_tool_response::Event;
use crate::contracts::hector::tool::v1::tool_provider_server::ToolProvider;
use crate::contracts::hector::tool::v1::*;
use crate::failing::{Failure, refused};
use crate::host::Client;
use crate::streaming::{Pieces, streaming};
use crate::typed::{from_json, object, schema_of};

type Run = dyn Fn(Value, Call) -> BoxFuture<'static, Result<Outcome, Failure>> + Send + Sync;

/// The tools of one plugin, by name.
#[derive(Clone, Default)]
pub struct Tools {
    known: BTreeMap<String, Known>,
    newest: String,
}

#[derive(Clone)]
struct Known {
    tool: Tool,
    run: Arc<Run>,
}

impl Tools {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a tool; its arguments are checked before `run` sees them. [`tools!`](crate::tools) is shorter.
    pub fn tool<A, O, F, R>(mut self, name: &str, about: &str, run: F) -> Self
    where
        A: DeserializeOwned + JsonSchema,
        O: Into<Outcome>,
        F: Fn(A, Call) -> R + Send + Sync + 'static,
        R: Future<Output = Result<O, Failure>> + Send + 'static,
    {
        let schema = schema_of::<A>();
        let about: Vec<&str> = about.lines().map(str::trim).collect();
        let tool = Tool {
            name: name.into(),
            description: about.join("\n").trim().into(),
            parameters_json: schema.to_string(),
            ..Default::default()
        };
        let named = name.to_string();
        let run: Arc<Run> = Arc::new(move |arguments, call| match from_json::<A>(arguments, &schema) {
            Ok(arguments) if !call.dry_run => {
                let running = run(arguments, call);
                Box::pin(async move { running.await.map(Into::into) })
            }
            Ok(_) => {
                let outcome = Outcome::from(format!("would run {named}"));
                Box::pin(async move { Ok(outcome) })
            }
            Err((path, why)) => {
                let place = if path.is_empty() { String::new() } else { format!("{path}: ") };
                let status = arguments_invalid(&named, &format!("{place}{why}"));
                Box::pin(async move { Err(status.into()) })
            }
        });
        self.newest = name.into();
        self.known.insert(name.into(), Known { tool, run });
        self
    }

    /// Changes what is listed of the newest tool.
    pub fn also(mut self, change: impl FnOnce(&mut Tool)) -> Self {
        if let Some(known) = self.known.get_mut(&self.newest) {
            change(&mut known.tool);
        }
        self
    }

    /// The newest tool changes nothing.
    pub fn read_only(self) -> Self {
        self.annotated(|hints| hints.read_only = true)
    }

    /// Calling the newest tool twice does the same as calling it once.
    pub fn idempotent(self) -> Self {
        self.annotated(|hints| hints.idempotent = true)
    }

    /// The newest tool may destroy something.
    pub fn destructive(self) -> Self {
        self.annotated(|hints| hints.destructive = true)
    }

    /// The newest tool reaches into the world outside the host.
    pub fn open_world(self) -> Self {
        self.annotated(|hints| hints.open_world = true)
    }

    /// A person must allow each call of the newest tool.
    pub fn requires_approval(self) -> Self {
        self.annotated(|hints| hints.requires_approval = true)
    }

    fn annotated(self, change: impl FnOnce(&mut ToolAnnotations)) -> Self {
        self.also(|tool| change(tool.annotations.get_or_insert_default()))
    }

    pub(crate) fn served(self, version: &str) -> Served {
        Served { tools: self, version: version.into() }
    }
}

/// One call of a tool. When the caller leaves, the tool is dropped at its next await.
pub struct Call {
    /// Who calls.
    pub caller: Caller,
    /// The session, run and agent that it is for, its effect id and the session's state.
    pub context: ToolContext,
    /// The model's id of the call.
    pub call_id: String,
    dry_run: bool,
    shown: Option<Pieces<StreamToolResponse>>,
}

impl Call {
    /// The plugin's settings, of the type that it declared.
    pub fn settings<C: Send + Sync + 'static>(&self) -> Result<Arc<C>, Failure> {
        Ok(self.caller.settings()?)
    }

    /// The own settings of the entry of the configuration that the call is for, such as `tools.shout`.
    pub fn instance<C: DeserializeOwned>(&self) -> Result<C, Failure> {
        Ok(self.caller.instance_settings()?)
    }

    /// A client of the host's services.
    pub fn host(&self) -> Result<Client, Failure> {
        Ok(self.caller.host()?)
    }

    /// Says how far the tool is, to whoever watches. `total` is zero if it is not known.
    pub async fn progress(&self, progress: f64, total: f64, message: &str) {
        self.show(Event::Progress(ToolProgress { progress, total, message: message.into() })).await;
    }

    /// Shows a piece of output, to whoever watches; the result has to have it all.
    pub async fn output(&self, part: Part) {
        self.show(Event::Output(part)).await;
    }

    async fn show(&self, event: Event) {
        if let Some(shown) = &self.shown {
            let _ = shown.send(StreamToolResponse { event: Some(event) }).await; // who left is not told
        }
    }
}

/// What a tool gives back: text, any JSON value, or the whole response.
pub struct Outcome(ExecuteToolResponse);

impl From<&str> for Outcome {
    fn from(text: &str) -> Self {
        text.to_string().into()
    }
}

impl From<String> for Outcome {
    fn from(result: String) -> Self {
        Self(ExecuteToolResponse { success: true, result, ..Default::default() })
    }
}

impl From<Value> for Outcome {
    fn from(value: Value) -> Self {
        let structured_json = value.to_string();
        Self(ExecuteToolResponse {
            success: true,
            result: structured_json.clone(),
            structured_json,
            ..Default::default()
        })
    }
}

impl From<ExecuteToolResponse> for Outcome {
    fn from(response: ExecuteToolResponse) -> Self {
        Self(response)
    }
}

/// The tools as the contract has them.
pub(crate) struct Served {
    tools: Tools,
    version: String,
}

struct Asked {
    tool: String,
    parameters_json: String,
    call_id: String,
    dry_run: bool,
    context: Option<ToolContext>,
}

impl Served {
    fn known(&self, name: &str) -> Result<&Known, Status> {
        self.tools.known.get(name).ok_or_else(|| {
            let names: Vec<&str> = self.tools.known.keys().map(String::as_str).collect();
            let sentence = format!("there is no tool {name:?} here; there is {}", names.join(", "));
            refused(Code::NotFound, "TOOL_NOT_FOUND", sentence)
        })
    }

    fn prepared(&self, asked: Asked, caller: Caller) -> Result<Prepared, Status> {
        let run = self.known(&asked.tool)?.run.clone();
        let arguments = object(&asked.parameters_json).map_err(|why| {
            arguments_invalid(&asked.tool, &format!("the arguments are no JSON object: {why}"))
        })?;
        let call = Call {
            caller,
            context: asked.context.unwrap_or_default(),
            call_id: asked.call_id,
            dry_run: asked.dry_run,
            shown: None,
        };
        Ok(Prepared { run, arguments, call })
    }
}

/// A call that can be made.
struct Prepared {
    run: Arc<Run>,
    arguments: Value,
    call: Call,
}

impl Prepared {
    async fn result(self) -> Result<ExecuteToolResponse, Status> {
        match (self.run)(self.arguments, self.call).await {
            Ok(outcome) => Ok(outcome.0),
            Err(Failure::Told(error)) => {
                // An error without words would be none: `error` alone says that a call failed.
                let error =
                    if error.is_empty() { "the tool failed, and did not say why".into() } else { error };
                Ok(ExecuteToolResponse { error, ..Default::default() })
            }
            Err(Failure::Refused(status)) => Err(status),
        }
    }
}

fn arguments_invalid(tool: &str, why: &str) -> Status {
    refused(Code::InvalidArgument, "TOOL_ARGUMENTS_INVALID", format!("{tool}: {why}"))
}

#[async_trait]
impl ToolProvider for Served {
    async fn list_tools(
        &self,
        request: Request<ListToolsRequest>,
    ) -> Result<Response<ListToolsResponse>, Status> {
        let request = request.into_inner();
        let all = if request.page_size > 0 { request.page_size as usize } else { usize::MAX };
        let mut rest = self.tools.known.values().skip_while(|known| known.tool.name <= request.page_token);
        let tools: Vec<Tool> = rest.by_ref().take(all).map(|known| known.tool.clone()).collect();
        let last = tools.last().map(|tool| tool.name.clone()).unwrap_or_default();
        let next_page_token = rest.next().map(|_| last).unwrap_or_default();
        Ok(Response::new(ListToolsResponse { tools, next_page_token, revision: self.version.clone() }))
    }

    async fn get_tool_schema(
        &self,
        request: Request<GetToolSchemaRequest>,
    ) -> Result<Response<GetToolSchemaResponse>, Status> {
        let tool = self.known(&request.get_ref().tool)?.tool.clone();
        Ok(Response::new(GetToolSchemaResponse { tool: Some(tool) }))
    }

    async fn execute_tool(
        &self,
        request: Request<ExecuteToolRequest>,
    ) -> Result<Response<ExecuteToolResponse>, Status> {
        let caller = Caller::of(&request);
        let ExecuteToolRequest { tool, parameters_json, call_id, dry_run, context } = request.into_inner();
        let prepared = self.prepared(Asked { tool, parameters_json, call_id, dry_run, context }, caller)?;
        Ok(Response::new(prepared.result().await?))
    }

    async fn stream_tool(
        &self,
        request: Request<StreamToolRequest>,
    ) -> Result<Response<BoxStream<StreamToolResponse>>, Status> {
        let caller = Caller::of(&request);
        let StreamToolRequest { tool, parameters_json, call_id, dry_run, context } = request.into_inner();
        let mut prepared =
            self.prepared(Asked { tool, parameters_json, call_id, dry_run, context }, caller)?;
        Ok(Response::new(streaming(|pieces| async move {
            prepared.call.shown = Some(pieces.clone());
            let event = Some(Event::Result(prepared.result().await?));
            pieces.send(StreamToolResponse { event }).await
        })))
    }
}

/// Turns functions into tools: their comments are what models read, and `tools()` has all of them.
///
/// Each is `async fn NAME(call: Call, ARGUMENT: TYPE, …) -> Result<OUTCOME, Failure>`. A line `#[hint(read_only,
/// idempotent)]` calls the methods of [`Tools`] of these names. See the example at the top of this crate.
#[macro_export]
macro_rules! tools {
    ($(
        $(#[doc = $about:literal])+
        $(#[hint($($hint:ident),+ $(,)?)])?
        async fn $name:ident($call:ident: Call $(, $(#[doc = $said:literal])* $argument:ident: $kind:ty)* $(,)?)
            -> $answer:ty $body:block
    )+) => {
        $(async fn $name($call: $crate::Call $(, $argument: $kind)*) -> $answer $body)+

        fn tools() -> $crate::Tools {
            let tools = $crate::Tools::new();
            $(
                let tools = {
                    #[derive($crate::serde::Deserialize, $crate::schemars::JsonSchema)]
                    #[serde(crate = "hector_plugin::serde")]
                    #[schemars(crate = "hector_plugin::schemars")]
                    struct Arguments {
                        $($(#[doc = $said])* $argument: $kind,)*
                    }
                    tools.tool(stringify!($name), concat!($($about, "\n"),+), |given: Arguments, call| {
                        let Arguments { $($argument),* } = given;
                        $name(call $(, $argument)*)
                    })
                    $($(.$hint())+)?
                };
            )+
            tools
        }
    };
}
