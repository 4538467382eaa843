//! Who may have sent a request, as far as browsers are concerned: whom it is addressed to, and which page
//! it comes from.
//!
//! Where no keys protect, anything that reaches a loopback address is believed, and a browser reaches it
//! on behalf of every page that somebody looks at. So a request must be addressed to a name of ours, which
//! a rebound name of a page's own is not, and come from a page of ours, from no page at all or from one that
//! is allowed. Where keys or signatures protect, any name and any page is as good as another; that a
//! request is addressed to one host holds everywhere. Pages of other origins that are allowed are
//! [told so](cors) wherever they ask.
//!
//! Knows heads of requests only, so that every listener can have one; what the refusal looks like is the
//! listener's.

mod cors;
mod host;
mod origin;

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{HOST, ORIGIN};
use http::uri::Authority;
use http::{HeaderMap, Method, StatusCode, Version};

use self::host::OwnHosts;
use self::origin::Origin;
use crate::headers::{SEC_FETCH_MODE, SEC_FETCH_SITE};
use crate::problem::{Problem, ProblemCode};

pub use self::cors::Cors;
pub use self::host::HostError;

/// What is asked by those who may speak HTTP/1.0 and name no host: load balancers.
const PROBES: [&str; 3] = ["/livez", "/readyz", "/metrics"];

/// Lets requests pass, or not; a clone is the same.
#[derive(Clone, Debug, Default)]
pub struct Gate {
    /// `None` where keys or signatures protect.
    guarded: Option<Guarded>,
    /// Pages of other origins that may ask.
    allowed: Arc<[Origin]>,
    opens_links: bool,
}

/// What is ours, where nothing else protects.
#[derive(Clone, Debug)]
struct Guarded {
    hosts: OwnHosts,
    /// Pages that are ours whatever the host of the request.
    origins: Vec<Origin>,
    /// Ports of loopback names whose pages are ours, beside the port of the request.
    ports: Vec<u16>,
}

/// Why a request does not pass.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is not addressed to one host.
    #[error(transparent)]
    Host(#[from] HostError),
    /// It is addressed to a host that is not ours.
    #[error(
        "This service answers to localhost, to loopback addresses and to the host of its public URL only."
    )]
    Misdirected,
    /// It comes from a page that may not ask.
    #[error("A page of another site may not ask this service.")]
    CrossSite,
}

impl Gate {
    /// Returns the gate of a listener where keys or signatures protect.
    #[must_use]
    pub fn open() -> Self {
        Self::default()
    }

    /// Returns the gate of a listener where nothing protects: it answers to loopback names and to the hosts of these
    /// URLs, and to pages of either.
    #[must_use]
    pub fn guarded<'u>(urls: impl IntoIterator<Item = &'u str>) -> Self {
        let origins: Vec<Origin> = urls.into_iter().filter_map(Origin::of_url).collect();
        Self {
            guarded: Some(Guarded {
                hosts: OwnHosts::new(origins.iter().map(Origin::host)),
                origins,
                ports: Vec::new(),
            }),
            ..Self::default()
        }
    }

    /// Returns the same, where also pages of loopback names at this port are ours.
    #[must_use]
    pub fn of_pages_at(mut self, port: u16) -> Self {
        if let Some(guarded) = &mut self.guarded {
            guarded.ports.push(port);
        }
        self
    }

    /// Returns the same, where a link may be followed from any page: what it leads to protects itself.
    #[must_use]
    pub fn opening_links(mut self) -> Self {
        self.opens_links = true;
        self
    }

    /// Returns the same, where also pages of these origins may ask.
    #[must_use]
    pub fn allowing<'o>(mut self, origins: impl IntoIterator<Item = &'o str>) -> Self {
        self.allowed = origins.into_iter().filter_map(Origin::of_url).collect();
        self
    }

    /// Returns what the page is to be told that sent a request, in every answer to it.
    #[must_use]
    pub fn cors<B>(&self, request: &http::Request<B>) -> Cors {
        let headers = request.headers();
        let guarded = self.guarded.as_ref();
        let host = host::of_request(request).ok().flatten();
        // To a browser two loopback names are two sites.
        let is_own = |host| guarded.is_some_and(|guarded| guarded.may_come_from(headers, host));
        let allowed = self.is_allowed(headers) || host.as_ref().is_some_and(is_own);
        let varies = guarded.is_some() || !self.allowed.is_empty();
        Cors::of(request, varies, allowed)
    }

    /// Returns whether the page is of another origin that may ask.
    fn is_allowed(&self, headers: &HeaderMap) -> bool {
        let mut origins = headers.get_all(ORIGIN).iter();
        let (Some(origin), None) = (origins.next(), origins.next()) else {
            return false;
        };
        match Origin::of_header(origin) {
            Some(origin) => self.allowed.contains(&origin),
            // A browser hides the page's origin where it was led from one service to another, as by a
            // download; who has a link may follow it.
            None => self.opens_links && !self.allowed.is_empty() && origin == "null",
        }
    }

    /// Lets a request pass.
    ///
    /// # Errors
    /// [`Refusal`] when it may not.
    pub fn judge<B>(&self, request: &http::Request<B>) -> Result<(), Refusal> {
        let host = host::of_request(request)?;
        let Some(host) = host else {
            let probe = request.version() == Version::HTTP_10
                && PROBES.contains(&request.uri().path())
                && is_safe(request.method());
            return if probe {
                Ok(())
            } else {
                Err(HostError::Missing.into())
            };
        };
        let Some(guarded) = &self.guarded else {
            return Ok(());
        };
        if !guarded.hosts.have(host.host()) {
            return Err(Refusal::Misdirected);
        }
        let headers = request.headers();
        if guarded.may_come_from(headers, &host)
            || self.is_allowed(headers)
            || self.is_link(request)
        {
            Ok(())
        } else {
            Err(Refusal::CrossSite)
        }
    }

    /// Returns whether somebody follows a link: the page that it stands on does not see what comes.
    fn is_link<B>(&self, request: &http::Request<B>) -> bool {
        let mode = request.headers().get(SEC_FETCH_MODE);
        let navigation = mode.is_some_and(|mode| mode == "navigate");
        // Pages for people, which are the same for everyone.
        let page = !request.uri().path().contains("/v1/");
        is_safe(request.method())
            && navigation
            && !request.headers().contains_key(ORIGIN)
            && (self.opens_links || page)
    }
}

impl Guarded {
    /// Returns whether the page that sends a request with these headers, if one does, may ask.
    fn may_come_from(&self, headers: &HeaderMap, host: &Authority) -> bool {
        let mut origins = headers.get_all(ORIGIN).iter();
        match (origins.next(), origins.next()) {
            (None, _) => {
                let mut sites = headers.get_all(SEC_FETCH_SITE).iter();
                !sites.any(|site| site.as_bytes().eq_ignore_ascii_case(b"cross-site"))
            }
            (Some(origin), None) => Origin::of_header(origin).is_some_and(|origin| {
                self.origins.contains(&origin)
                    || (host::is_loopback(origin.host())
                        && (host::port(host, origin.scheme()) == Some(origin.port())
                            || self.ports.contains(&origin.port())))
            }),
            (Some(_), Some(_)) => false,
        }
    }
}

fn is_safe(method: &Method) -> bool {
    *method == Method::GET || *method == Method::HEAD
}

/// Lets no other request pass, see [`Gate::judge`], and tells pages that may ask that they may.
pub(crate) async fn guarded(
    State(gate): State<Gate>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    gate.judge(&request)?;
    let cors = gate.cors(&request);
    let mut response = if cors.answers() {
        StatusCode::NO_CONTENT.into_response()
    } else {
        next.run(request).await
    };
    cors.grant(response.headers_mut());
    Ok(response)
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let detail = refusal.to_string();
        match refusal {
            Refusal::Host(_) => Self::invalid(vec![Self::header(HOST.as_str(), detail)]),
            Refusal::Misdirected => Self::new(ProblemCode::MisdirectedRequest, detail),
            Refusal::CrossSite => Self::new(ProblemCode::CrossSite, detail),
        }
    }
}

#[cfg(test)]
mod tests;
