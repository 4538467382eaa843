//! The body of a request: declared to be JSON, read whole, of bounded size and in bounded time.
//!
//! Knows the bytes and their declaration, not what they mean. The timeout stays by hand: tower-http's is of each
//! piece, and a client that sends a byte a second would never end.

use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::extract::{FromRef, FromRequest, Request};
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, EXPECT};
use mime::Mime;
use tokio::time::{Instant, timeout, timeout_at};
use waybill_report::query::{Fault, FaultCode};

use crate::problem::{Problem, ProblemCode};

/// The largest body, in bytes.
pub(crate) const MAX_BODY_BYTES: usize = 1024 * 1024;
/// What of a body that is too large is still taken and thrown away, in bytes and time: a client that
/// is cut off in the middle of sending may never see why.
const MAX_DISCARDED_BYTES: usize = 16 * MAX_BODY_BYTES;
const DISCARD_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a body may take to arrive.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReadTimeout(pub(crate) Duration);

/// The bytes of a body that is declared to be JSON.
#[derive(Clone, Debug)]
pub(crate) struct JsonBytes(pub(crate) Bytes);

impl<S> FromRequest<S> for JsonBytes
where
    S: Send + Sync,
    ReadTimeout: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let ReadTimeout(read_timeout) = ReadTimeout::from_ref(state);
        let late = Instant::now() + read_timeout;
        let (parts, body) = request.into_parts();
        let declared = declared_length(&parts.headers);
        if declared.is_none_or(|length| length > 0) && !body_is_empty(&body) {
            media_type(&parts.headers)?;
        }
        let mut stream = body.into_data_stream();
        if declared.is_some_and(|length| length > MAX_BODY_BYTES as u64) {
            // A client that asks first has sent nothing yet.
            if !parts.headers.contains_key(EXPECT) {
                discard(stream).await;
            }
            return Err(too_large());
        }
        let mut bytes = BytesMut::new();
        while let Some(chunk) = timeout_at(late, stream.next())
            .await
            .map_err(|_| too_slow(read_timeout))?
        {
            let chunk = chunk.map_err(ended_early)?;
            if bytes.len() + chunk.len() > MAX_BODY_BYTES {
                discard(stream).await;
                return Err(too_large());
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(Self(bytes.freeze()))
    }
}

fn ended_early(error: axum::Error) -> Problem {
    let fault = Fault::new("", FaultCode::InvalidRequest, "the body ended early");
    Problem::invalid(vec![fault]).caused_by(error)
}

fn too_slow(read_timeout: Duration) -> Problem {
    let seconds = read_timeout.as_secs();
    Problem::new(
        ProblemCode::RequestTimeout,
        format!("The body took longer than {seconds} s to arrive."),
    )
}

fn body_is_empty(body: &Body) -> bool {
    axum::body::HttpBody::is_end_stream(body)
}

fn declared_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn media_type(headers: &HeaderMap) -> Result<(), Problem> {
    let unsupported = |detail| Err(Problem::new(ProblemCode::UnsupportedMediaType, detail));
    if headers.contains_key(CONTENT_ENCODING) {
        return unsupported("The body may not have a Content-Encoding.");
    }
    let declared = headers.get(CONTENT_TYPE).map(|value| {
        value
            .to_str()
            .ok()
            .and_then(|text| text.parse::<Mime>().ok())
    });
    match declared {
        Some(Some(declared)) if is_json(&declared) => Ok(()),
        Some(_) => {
            unsupported("The body must be application/json; its Content-Type says otherwise.")
        }
        None => unsupported("The body must be application/json; it has no Content-Type."),
    }
}

fn is_json(declared: &Mime) -> bool {
    declared.essence_str() == mime::APPLICATION_JSON.essence_str()
        || (declared.type_() == mime::APPLICATION && declared.suffix() == Some(mime::JSON))
}

fn too_large() -> Problem {
    Problem::new(
        ProblemCode::PayloadTooLarge,
        format!("The body is larger than {MAX_BODY_BYTES} bytes."),
    )
}

async fn discard(mut stream: BodyDataStream) {
    let discarding = async {
        let mut discarded = 0;
        while let Some(Ok(bytes)) = stream.next().await {
            discarded += bytes.len();
            if discarded > MAX_DISCARDED_BYTES {
                break;
            }
        }
    };
    // Whatever comes of it, the answer is the same.
    drop(timeout(DISCARD_TIMEOUT, discarding).await);
}
