//! What a request must be before the store's library reads it.
//!
//! The listener is open to strangers, so whatever they send ends here, or in the check of a signature:
//! an answer below 500, no panic, and no line of the log. Past that are our own worker, and those who
//! hold a link. The holder of a link may choose its range and nothing else, whatever else is sent along.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderName, IF_RANGE, RANGE};
use http::{HeaderMap, HeaderValue, Method, Request, Uri};
use hyper::body::Incoming;
use s3s::access::{S3Access, S3AccessContext};
use s3s::service::S3Service;
use s3s::{Body, HttpError, HttpResponse, S3Error, S3ErrorCode, S3Result};

use super::range;

/// What the holder of a link may add to it.
const OF_A_DOWNLOAD: [HeaderName; 3] = [HOST, RANGE, IF_RANGE];

/// The store, as the listener reaches it.
#[derive(Clone)]
pub(super) struct Front(S3Service);

/// How a request says who sends it.
#[derive(Debug, PartialEq, Eq)]
enum Signed {
    InHeader,
    InLink,
}

/// Set once the signature of a request was found to be good.
#[derive(Clone, Debug, Default)]
struct Verified(Arc<AtomicBool>);

/// Lets those in whose signature is good, and remembers that it was.
#[derive(Debug)]
pub(super) struct HoldersOfAKey;

#[async_trait::async_trait]
impl S3Access for HoldersOfAKey {
    async fn check(&self, context: &mut S3AccessContext<'_>) -> S3Result<()> {
        if context.credentials().is_none() {
            return Err(S3ErrorCode::AccessDenied.into());
        }
        if let Some(verified) = context.extensions_mut().get::<Verified>() {
            verified.0.store(true, Ordering::Relaxed);
        }
        Ok(())
    }
}

impl Front {
    pub(super) fn new(service: S3Service) -> Self {
        Self(service)
    }

    /// Answers a request.
    ///
    /// # Errors
    /// [`HttpError`] when there is no answer, which ends the connection.
    pub(super) async fn answer(
        self,
        request: Request<Incoming>,
    ) -> Result<HttpResponse, HttpError> {
        let (mut head, body) = request.into_parts();
        match signed(&head.method, &head.uri, &head.headers) {
            Ok(Signed::InHeader) => {}
            Ok(Signed::InLink) => keep_of_a_download(&head.uri, &mut head.headers),
            Err(error) => return refusal(error),
        }
        let verified = Verified::default();
        head.extensions.insert(verified.clone());
        let request = Request::from_parts(head, Body::from(body));
        let response = to_its_end(self.0, request).await?;
        if response.status().is_server_error() && !verified.0.load(Ordering::Relaxed) {
            // The library could not read it. Nothing of ours failed.
            return refusal(S3ErrorCode::AccessDenied.into());
        }
        Ok(response)
    }
}

/// A request ends also when its client is gone, as it does in any other store. One that was given up
/// while it joins parts would leave some of them behind.
#[expect(
    clippy::disallowed_methods,
    reason = "awaited on the spot; it goes on when the client is gone"
)]
async fn to_its_end(service: S3Service, request: Request<Body>) -> Result<HttpResponse, HttpError> {
    let answered = tokio::spawn(async move { service.call(request).await }).await;
    answered.unwrap_or_else(|panic| {
        tracing::error!(cause = %panic, "the embedded store panicked");
        refusal(S3ErrorCode::InternalError.into())
    })
}

fn refusal(error: S3Error) -> Result<HttpResponse, HttpError> {
    error
        .to_http_response()
        .map_err(|error| HttpError::new(Box::new(error)))
}

/// How the request is signed; whether it is signed well is for the library to say. Texts are S3's own.
fn signed(method: &Method, uri: &Uri, headers: &HeaderMap) -> S3Result<Signed> {
    if *method == Method::POST && is_form(headers) {
        // A form brings its signature in its body.
        return Err(S3ErrorCode::MethodNotAllowed.into());
    }
    let in_link = has_parameter(uri, "X-Amz-Signature");
    let mut credentials = headers.get_all(AUTHORIZATION).iter();
    match (credentials.next(), credentials.next()) {
        (None, _) if in_link => Ok(Signed::InLink),
        (None, _) if has_parameter(uri, "Signature") => Err(S3Error::with_message(
            S3ErrorCode::InvalidRequest,
            "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.",
        )),
        (None, _) => Err(S3ErrorCode::AccessDenied.into()),
        (Some(_), _) if in_link => Err(S3Error::with_message(
            S3ErrorCode::InvalidArgument,
            "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the Authorization header should be specified",
        )),
        (Some(value), None) => of_store(value).map(|()| Signed::InHeader),
        (Some(_), Some(_)) => Err(S3ErrorCode::InvalidArgument.into()),
    }
}

/// Whether an `Authorization` is a signature for a store. For other services the library would read a
/// body before it looks at the signature.
fn of_store(authorization: &HeaderValue) -> S3Result<()> {
    let rest = authorization
        .to_str()
        .ok()
        .and_then(|value| value.strip_prefix("AWS4-HMAC-SHA256 "));
    let Some(rest) = rest else {
        return Err(S3Error::with_message(
            S3ErrorCode::InvalidArgument,
            "Unsupported Authorization Type",
        ));
    };
    let credential = rest
        .trim_start()
        .strip_prefix("Credential=")
        .and_then(|rest| rest.split(',').next());
    let mut scope = credential.unwrap_or_default().split('/').skip(3);
    if (scope.next(), scope.next(), scope.next()) == (Some("s3"), Some("aws4_request"), None) {
        return Ok(());
    }
    Err(S3ErrorCode::AuthorizationHeaderMalformed.into())
}

fn is_form(headers: &HeaderMap) -> bool {
    let is_form = |value: &HeaderValue| {
        let value = value.as_bytes().trim_ascii_start();
        let form = b"multipart/";
        value.len() >= form.len() && value[..form.len()].eq_ignore_ascii_case(form)
    };
    headers.get_all(CONTENT_TYPE).iter().any(is_form)
}

fn has_parameter(uri: &Uri, name: &str) -> bool {
    parameters(uri).any(|(own, _)| own == name)
}

/// The parameters of a query. Names are not decoded: who writes these otherwise is not understood.
fn parameters(uri: &Uri) -> impl Iterator<Item = (&str, &str)> {
    let pairs = uri.query().unwrap_or_default().split('&');
    pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

/// Leaves of the headers what a download may have, and what its link was signed with.
fn keep_of_a_download(uri: &Uri, headers: &mut HeaderMap) {
    let signed = parameters(uri).find(|(name, _)| *name == "X-Amz-SignedHeaders");
    let signed = signed.map_or("", |(_, names)| names);
    let signed: Vec<&str> = signed
        .split("%3B")
        .flat_map(|names| names.split(';'))
        .collect();
    let sent = std::mem::take(headers);
    for name in sent.keys() {
        let is_signed = signed.contains(&name.as_str());
        if !is_signed && !OF_A_DOWNLOAD.contains(name) {
            continue;
        }
        let values = sent.get_all(name);
        if *name == RANGE && !is_signed {
            let mut values = values.iter();
            if let (Some(one), None) = (values.next(), values.next())
                && let Some(range) = one.to_str().ok().and_then(range::parse)
                && let Ok(value) = HeaderValue::try_from(range.to_header_string())
            {
                headers.insert(RANGE, value);
            }
            continue;
        }
        for value in values {
            headers.append(name.clone(), value.clone());
        }
    }
}
