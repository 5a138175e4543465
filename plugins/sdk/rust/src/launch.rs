//! What a host says to a plugin that it starts: hashicorp/go-plugin's handshake, version 1.

use std::env;
use std::path::PathBuf;
use std::time::Duration;

const COOKIE: (&str, &str) = ("HECTOR_PLUGIN", "hector_plugin_v1");
const VERSION: &str = "1";
const EXIT_USAGE: u8 = 64;
const EXIT_PROTOCOL_MISMATCH: u8 = 78;

/// Where to listen.
#[derive(Debug, PartialEq)]
pub(crate) enum Address {
    /// A new unix socket in this folder.
    Folder(PathBuf),
    /// This unix socket.
    Path(PathBuf),
    /// A host and port; port 0 is any.
    Tcp(String),
}

/// What one start was told.
#[derive(Debug)]
pub(crate) struct Launch {
    pub listen: Address,
    /// What callers have to show as metadata "hector-token".
    pub token: Option<String>,
    /// How long calls in flight may take once the plugin is to end.
    pub drain: Duration,
    /// The end of standard input means that the host is gone.
    pub watch_stdin: bool,
    /// Somebody waits for the line on standard output.
    pub handshake: bool,
    /// Where HostServices is; Configure may say it again.
    pub host_target: String,
}

/// Why a plugin does not start, and what it leaves with.
#[derive(Debug)]
pub(crate) struct NotStarted {
    pub sentence: String,
    pub code: u8,
}

impl Launch {
    /// Reads this process's environment and arguments.
    pub fn read() -> Result<Self, NotStarted> {
        let arguments: Vec<String> =
            env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned()).collect();
        // What is no UTF-8 is not as good as unset: a token least of all.
        Self::told(&arguments, |name| {
            env::var_os(name)
                .map(|value| value.to_string_lossy().into_owned())
                .filter(|value| !value.is_empty())
        })
    }

    fn told(arguments: &[String], variable: impl Fn(&str) -> Option<String>) -> Result<Self, NotStarted> {
        let mut launch = Launch {
            listen: Address::Folder(env::temp_dir()),
            token: variable("HECTOR_PLUGIN_TOKEN"),
            drain: seconds(variable("HECTOR_DRAIN_S")).unwrap_or(Duration::from_secs(5)),
            watch_stdin: false,
            handshake: false,
            host_target: variable("HECTOR_HOST_TARGET").unwrap_or_default(),
        };
        if arguments.first().is_some_and(|first| first == "--standalone") {
            launch.listen = standalone(&arguments[1..])?;
            return Ok(launch);
        }
        if variable(COOKIE.0).as_deref() != Some(COOKIE.1) {
            return Err(usage(
                "this is a plugin: name it under `plugins:` in hector.yaml, \
                 or try it by itself with --standalone unix:/tmp/plugin.sock",
            ));
        }
        let offered = variable("PLUGIN_PROTOCOL_VERSIONS").unwrap_or(VERSION.into());
        if !offered.split(',').any(|version| version.trim() == VERSION) {
            let sentence =
                format!("this plugin speaks version {VERSION} of the protocol; the host offers {offered}");
            return Err(NotStarted { sentence, code: EXIT_PROTOCOL_MISMATCH });
        }
        launch.handshake = true;
        launch.watch_stdin = variable("HECTOR_STDIN_WATCH").as_deref() == Some("1");
        launch.listen = if cfg!(unix) {
            Address::Folder(variable("PLUGIN_UNIX_SOCKET_DIR").map_or_else(env::temp_dir, PathBuf::from))
        } else {
            Address::Tcp("127.0.0.1:0".into())
        };
        Ok(launch)
    }
}

fn standalone(arguments: &[String]) -> Result<Address, NotStarted> {
    match arguments {
        [address] => Ok(address
            .strip_prefix("unix:")
            .map_or_else(|| Address::Tcp(address.clone()), |path| Address::Path(path.into()))),
        _ => {
            Err(usage("--standalone needs an address to listen on, as unix:/tmp/plugin.sock or 127.0.0.1:0"))
        }
    }
}

fn usage(sentence: &str) -> NotStarted {
    NotStarted { sentence: sentence.into(), code: EXIT_USAGE }
}

fn seconds(text: Option<String>) -> Option<Duration> {
    Duration::try_from_secs_f64(text?.parse().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(variables: &[(&str, &str)], arguments: &[&str]) -> Result<Launch, NotStarted> {
        let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        Launch::told(&arguments, |name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.to_string())
        })
    }

    #[test]
    fn a_start_by_hand_is_told_what_to_do() {
        let refused = told(&[], &[]).unwrap_err();
        assert_eq!(refused.code, EXIT_USAGE);
        assert!(refused.sentence.contains("--standalone"));
    }

    #[test]
    fn a_host_of_another_version_is_refused_for_good() {
        let refused = told(&[COOKIE, ("PLUGIN_PROTOCOL_VERSIONS", "2,3")], &[]).unwrap_err();
        assert_eq!(refused.code, EXIT_PROTOCOL_MISMATCH);
        assert!(refused.sentence.contains("2,3"));
    }

    #[test]
    fn a_host_says_where_to_listen_and_when_to_end() {
        let variables = [
            COOKIE,
            ("PLUGIN_UNIX_SOCKET_DIR", "/x"),
            ("HECTOR_DRAIN_S", "1.5"),
            ("HECTOR_STDIN_WATCH", "1"),
        ];
        let launch = told(&variables, &[]).unwrap();
        assert_eq!(launch.listen, Address::Folder("/x".into()));
        assert_eq!(launch.drain, Duration::from_millis(1500));
        assert!(launch.watch_stdin && launch.handshake);
    }

    #[test]
    fn a_person_says_where_to_listen() {
        let launch = told(&[], &["--standalone", "unix:/x/y.sock"]).unwrap();
        assert_eq!(launch.listen, Address::Path("/x/y.sock".into()));
        assert!(!launch.handshake);
        assert_eq!(told(&[], &["--standalone"]).unwrap_err().code, EXIT_USAGE);
    }
}
