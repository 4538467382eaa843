//! Who may have sent a request, as far as browsers are concerned: whom it is addressed to, and which page
//! it comes from.
//!
//! Where no keys protect, anything that reaches a loopback address is believed, and a browser reaches it
//! on behalf of every page that somebody looks at. So a request must be addressed to a name of ours, which
//! a rebound name of a page's own is not, and come from a page of ours, from no page at all or from one that
//! is allowed. Where keys or signatures protect, any name and any page is as good as another; that a
//! request is addressed to one host holds everywhere.
//!
//! Knows heads of requests only, so that every listener can have one; what the refusal looks like is the
//! listener's.

mod host;
mod origin;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::header::{HOST, HeaderName, ORIGIN};
use http::uri::Authority;
use http::{HeaderMap, Method, Version};

use self::host::OwnHosts;
use self::origin::Origin;
use crate::problem::{Problem, ProblemCode};

pub use self::host::HostError;

/// How a browser says whether the page and the service are of one site, and what is done with the answer.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// What is asked by those who may speak HTTP/1.0 and name no host: load balancers.
const PROBES: [&str; 3] = ["/livez", "/readyz", "/metrics"];

/// Lets requests pass, or not; a clone is the same.
#[derive(Clone, Debug, Default)]
pub struct Gate {
    /// `None` where keys or signatures protect.
    guarded: Option<Guarded>,
}

/// What is ours, where nothing else protects.
#[derive(Clone, Debug)]
struct Guarded {
    hosts: OwnHosts,
    /// Pages that are ours whatever the host of the request.
    origins: Vec<Origin>,
    /// Ports of loopback names whose pages are ours, beside the port of the request.
    ports: Vec<u16>,
    opens_links: bool,
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
    /// Of a listener where keys or signatures protect.
    #[must_use]
    pub fn open() -> Self {
        Self::default()
    }

    /// Of a listener where nothing protects: it answers to loopback names and to the hosts of these
    /// URLs, and to pages of either.
    #[must_use]
    pub fn guarded<'u>(urls: impl IntoIterator<Item = &'u str>) -> Self {
        let origins: Vec<Origin> = urls.into_iter().filter_map(Origin::of_url).collect();
        Self {
            guarded: Some(Guarded {
                hosts: OwnHosts::new(origins.iter().map(Origin::host)),
                origins,
                ports: Vec::new(),
                opens_links: false,
            }),
        }
    }

    /// The same, where also pages of loopback names at this port are ours.
    #[must_use]
    pub fn of_pages_at(mut self, port: u16) -> Self {
        if let Some(guarded) = &mut self.guarded {
            guarded.ports.push(port);
        }
        self
    }

    /// The same, where a link may be followed from any page: what it leads to protects itself.
    #[must_use]
    pub fn opening_links(mut self) -> Self {
        if let Some(guarded) = &mut self.guarded {
            guarded.opens_links = true;
        }
        self
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
        if guarded.may_come_from(request.headers(), &host) || guarded.is_link(request) {
            Ok(())
        } else {
            Err(Refusal::CrossSite)
        }
    }
}

impl Guarded {
    /// Whether the page that sends a request with these headers, if one does, may ask.
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

    /// Whether somebody follows a link: the page that it stands on does not see what comes.
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

fn is_safe(method: &Method) -> bool {
    *method == Method::GET || *method == Method::HEAD
}

/// Lets no other request pass; see [`Gate::judge`].
pub(crate) async fn guarded(
    State(gate): State<Gate>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    gate.judge(&request)?;
    Ok(next.run(request).await)
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
