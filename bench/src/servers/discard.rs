//! An S3 endpoint that acknowledges uploads and keeps nothing, so that an exporter's own speed is left.
//!
//! It answers what an S3 client asks on the way of a multipart upload, checks no signature, and counts
//! the bytes of the parts: `GET /received` tells how many came.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::serve::ListenerExt as _;
use http::header::ETAG;
use http::{Method, StatusCode};
use http_body_util::BodyExt as _;

/// Where the number of received bytes is asked for.
pub(crate) const RECEIVED: &str = "/received";

/// What stands for the checksum of every part.
const TAG: &str = "\"d41d8cd98f00b204e9800998ecf8427e\"";

const INITIATED: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<InitiateMultipartUploadResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Bucket>waybill</Bucket><Key>key</Key><UploadId>upload</UploadId></InitiateMultipartUploadResult>"#;

const COMPLETED: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<CompleteMultipartUploadResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Bucket>waybill</Bucket><Key>key</Key><ETag>"d41d8cd98f00b204e9800998ecf8427e-1"</ETag></CompleteMultipartUploadResult>"#;

const NOTHING: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<Error><Code>NoSuchKey</Code><Message>Nothing is kept here.</Message></Error>"#;

/// Serves until the process ends. One thread: it leaves the cores to what is measured.
pub(super) fn serve(listener: std::net::TcpListener) -> std::io::Result<()> {
    listener.set_nonblocking(true)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener)?.tap_io(|stream| {
            // Without it an answer may wait for a packet to fill; it only costs time.
            drop(stream.set_nodelay(true));
        });
        let received = Arc::new(AtomicU64::new(0));
        let service = Router::new().fallback(answer).with_state(received);
        axum::serve(listener, service).await
    })
}

async fn answer(State(received): State<Arc<AtomicU64>>, request: Request) -> Response {
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let begins = request
        .uri()
        .query()
        .is_some_and(|query| query.starts_with("uploads"));
    let Some(bytes) = drain(request.into_body()).await else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    match method {
        Method::PUT => {
            received.fetch_add(bytes, Ordering::Relaxed);
            [(ETAG, TAG)].into_response()
        }
        Method::POST if begins => INITIATED.into_response(),
        Method::POST => COMPLETED.into_response(),
        Method::DELETE => StatusCode::NO_CONTENT.into_response(),
        Method::HEAD => StatusCode::OK.into_response(),
        Method::GET if path == RECEIVED => {
            received.load(Ordering::Relaxed).to_string().into_response()
        }
        _ => (StatusCode::NOT_FOUND, NOTHING).into_response(),
    }
}

/// Reads a body to its end; `None` when the client broke off.
async fn drain(mut body: Body) -> Option<u64> {
    let mut bytes = 0;
    while let Some(frame) = body.frame().await {
        if let Some(data) = frame.ok()?.data_ref() {
            bytes += data.len() as u64;
        }
    }
    Some(bytes)
}
