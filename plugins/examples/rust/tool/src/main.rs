//! Two tools, one of them slow.
use hector_plugin::{Failure, Plugin, serve, tokio::time, tools};

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Config {
    #[serde(default)]
    suffix: String,
}
tools! {
    /// Turns a text into upper case.
    #[hint(read_only, idempotent)]
    async fn upper(call: Call, /** The text. */ text: String) -> Result<String, Failure> {
        Ok(text.to_uppercase() + &call.settings::<Config>()?.suffix)
    }
    /// Waits for some seconds.
    #[hint(read_only, idempotent)]
    async fn wait(call: Call, /** How long. */ seconds: f64) -> Result<String, Failure> {
        let time = time::Duration::try_from_secs_f64(seconds).or(Err("seconds must not be negative"))?;
        call.progress(0.0, seconds, "waiting").await;
        time::sleep(time).await; // dropped here when the caller leaves
        Ok("waited".into())
    }
}
fn main() -> std::process::ExitCode {
    serve(Plugin::new("example-tool", "1.0.0").settings::<Config>().tools(tools()))
}
#[cfg(test)]
mod tests;
