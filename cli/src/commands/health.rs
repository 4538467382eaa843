//! `waybill health`: whether a process is ready, for the health checks of containers.
//!
//! It reads no settings and needs no other program. Exit code 0 = ready; 1 = not ready, for whatever
//! cause, also a URL that is none: a container's health check knows no other codes.

use std::time::Duration;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use clap::Args;
use http::header::HOST;
use http::uri::PathAndQuery;
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use crate::error::StartError;
use crate::{output, runtime};

/// What is asked for where the URL has no path.
const READY_PATH: &str = "/readyz";
/// How long it may take until the whole answer is there.
const LONGEST: Duration = Duration::from_secs(3);
/// What of an answer is read at most. Those of `/readyz` are a few hundred bytes.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// Flags of `waybill health`.
#[derive(Args, Debug)]
pub(crate) struct HealthArgs {
    #[arg(
        value_name = "URL",
        help = "Where the process listens, such as http://127.0.0.1:8080; without a path, /readyz is asked"
    )]
    url: String,
}

/// Says in one line how the process is.
pub(crate) fn run(args: &HealthArgs) -> Result<(), StartError> {
    let target = Target::parse(&args.url)?;
    let url = target.url();
    let answer = runtime::block_on(async {
        match tokio::time::timeout(LONGEST, ask(&target)).await {
            Ok(answer) => answer,
            Err(_) => bail!("no answer within {} s", LONGEST.as_secs()),
        }
    });
    let (status, body) = answer.with_context(|| url.clone())?;
    if !status.is_success() {
        let cause = cause(&body).map_or_else(String::new, |cause| format!(": {cause}"));
        return Err(StartError::Found(format!("{url}: {status}{cause}")));
    }
    Ok(output::result(format_args!("{url}: {status}"))?)
}

/// Whom to ask for what.
#[derive(Debug)]
struct Target {
    authority: String,
    host: String,
    port: u16,
    path: String,
}

impl Target {
    fn parse(text: &str) -> anyhow::Result<Self> {
        let expected = || format!("{text:?} is no URL such as http://127.0.0.1:8080");
        let uri: Uri = text.parse().with_context(expected)?;
        match uri.scheme_str() {
            Some("http") => {}
            Some("https") => bail!(
                "{text}: https:// is not asked from here; ask the process itself, over http://"
            ),
            _ => bail!(expected()),
        }
        let authority = uri.authority().with_context(expected)?;
        if authority.as_str().contains('@') {
            bail!("a name or a password in a URL is not sent from here");
        }
        let port = match &authority.as_str()[authority.host().len()..] {
            "" => 80,
            port => port[1..].parse().with_context(expected)?,
        };
        let path = match uri.path_and_query().map(PathAndQuery::as_str) {
            None | Some("/") => READY_PATH,
            Some(path) => path,
        };
        // An IPv6 address stands in brackets in a URL, and nowhere else.
        let host = authority.host();
        let address = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        Ok(Self {
            authority: authority.to_string(),
            host: address.unwrap_or(host).to_owned(),
            port,
            path: path.to_owned(),
        })
    }

    fn url(&self) -> String {
        format!("http://{}{}", self.authority, self.path)
    }
}

/// Returns the status and the body of the answer.
async fn ask(target: &Target) -> anyhow::Result<(StatusCode, Bytes)> {
    let stream = TcpStream::connect((target.host.as_str(), target.port)).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let request = Request::get(target.path.as_str())
        .header(HOST, target.authority.as_str())
        .body(Empty::<Bytes>::new())?;
    let asking = async {
        let (head, body) = sender.send_request(request).await?.into_parts();
        let body = Limited::new(body, MAX_ANSWER_BYTES).collect().await;
        let body = body.map_err(anyhow::Error::from_boxed)?;
        Ok((head.status, body.to_bytes()))
    };
    tokio::select! {
        biased;
        answer = asking => answer,
        ended = connection => match ended {
            Ok(()) => bail!("the connection ended before the answer"),
            Err(error) => Err(error.into()),
        },
    }
}

/// Returns what a problem says: what is missing, or else its detail.
fn cause(body: &[u8]) -> Option<String> {
    let problem: Value = serde_json::from_slice(body).ok()?;
    let missing = problem["missing"].as_array().map(|missing| {
        let names = missing.iter().filter_map(Value::as_str);
        format!("missing: {}", names.collect::<Vec<_>>().join(", "))
    });
    missing.or_else(|| problem["detail"].as_str().map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_whom_to_ask_for_what() {
        for (text, host, port, url) in [
            (
                "http://127.0.0.1:8080",
                "127.0.0.1",
                8080,
                "http://127.0.0.1:8080/readyz",
            ),
            (
                "http://127.0.0.1:8080/",
                "127.0.0.1",
                8080,
                "http://127.0.0.1:8080/readyz",
            ),
            ("http://api/livez?a=b", "api", 80, "http://api/livez?a=b"),
            ("http://[::1]:9090", "::1", 9090, "http://[::1]:9090/readyz"),
        ] {
            let target = Target::parse(text).expect("a URL");
            assert_eq!((target.host.as_str(), target.port), (host, port), "{text}");
            assert_eq!(target.url(), url, "{text}");
        }
    }

    #[test]
    fn other_urls_are_refused_in_one_line() {
        for (text, told) in [
            ("", "is no URL"),
            ("nonsense", "is no URL"),
            ("127.0.0.1:8080", "is no URL"),
            ("/readyz", "is no URL"),
            ("http://", "is no URL"),
            ("http://a b", "is no URL"),
            ("http://host:", "is no URL"),
            ("http://host:99999", "is no URL"),
            ("ftp://host", "is no URL"),
            ("https://host", "https:// is not asked"),
            ("http://user:password@host", "a name or a password"),
        ] {
            let error = Target::parse(text).expect_err(text);
            let line = format!("{error:#}");
            assert!(line.contains(told), "{text}: {line}");
            assert!(!line.contains('\n'), "{text}: {line}");
        }
    }

    #[test]
    fn what_is_missing_is_told() {
        let told = |body: &str| cause(body.as_bytes());
        let missing = r#"{"detail":"not ready","missing":["database","storage"]}"#;
        assert_eq!(told(missing).as_deref(), Some("missing: database, storage"));
        assert_eq!(told(r#"{"detail":"why"}"#).as_deref(), Some("why"));
        for other in ["", "<html>", "[]", "{}"] {
            assert_eq!(told(other), None, "{other}");
        }
    }
}
