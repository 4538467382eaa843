//! The body of a request: declared to be JSON, of bounded size, read whole.
//!
//! Knows the bytes and their declaration, not what they mean.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use futures::StreamExt;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, EXPECT};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use mime::Mime;
use waybill_shared::query::{Fault, FaultCode};

use crate::problem::{Problem, ProblemCode};
use crate::state::ApiState;

/// The largest body, in bytes.
pub(crate) const LARGEST_BODY: usize = 1024 * 1024;
/// What of a body that is too large is still taken and thrown away, in bytes and time: a client that
/// is cut off in the middle of sending may never see why.
const DISCARDED: usize = 16 * LARGEST_BODY;
const DISCARDED_FOR: Duration = Duration::from_secs(5);

/// The bytes of a body that is declared to be JSON.
#[derive(Clone, Debug)]
pub(crate) struct JsonBytes(pub(crate) Bytes);

impl FromRequest<ApiState> for JsonBytes {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &ApiState) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let declared = declared_length(&parts.headers);
        if declared.is_none_or(|length| length > 0) && !body_is_empty(&body) {
            media_type(&parts.headers)?;
        }
        if declared.is_some_and(|length| length > LARGEST_BODY as u64) {
            // A client that asks first has sent nothing yet.
            if !parts.headers.contains_key(EXPECT) {
                discard(body).await;
            }
            return Err(too_large());
        }
        let mut limited = Limited::new(body, LARGEST_BODY);
        match (&mut limited).collect().await {
            Ok(collected) => Ok(Self(collected.to_bytes())),
            Err(error) if error.is::<LengthLimitError>() => Err(too_large()),
            Err(error) => {
                let fault = Fault::new("", FaultCode::InvalidRequest, "the body ended early");
                Err(Problem::invalid(vec![fault]).caused_by(error))
            }
        }
    }
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
        format!("The body is larger than {LARGEST_BODY} bytes."),
    )
}

async fn discard(body: Body) {
    let mut stream = body.into_data_stream();
    let discarding = async {
        let mut discarded = 0;
        while let Some(Ok(bytes)) = stream.next().await {
            discarded += bytes.len();
            if discarded > DISCARDED {
                break;
            }
        }
    };
    // Whatever comes of it, the answer is the same.
    drop(tokio::time::timeout(DISCARDED_FOR, discarding).await);
}
