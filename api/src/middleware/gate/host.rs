//! The host that a request is addressed to, and which hosts are ours.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use http::header::HOST;
use http::uri::{Authority, Scheme};
use http::{HeaderValue, Request};

/// Why a request is not addressed to one host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// It names none.
    #[error("required: the host that the request is addressed to")]
    Missing,
    /// It names two: what stands between may believe another one than this service.
    #[error("the request names more than one host")]
    TwoHosts,
    /// What it names is none.
    #[error("expected a host, with its port if that is not the usual one")]
    Malformed,
}

/// Returns the host of a request; `None` when it names none. In HTTP/2 it is the `:authority`, with which a
/// `Host` has to agree, as it has to with a URL in the request line.
pub(super) fn of_request<B>(request: &Request<B>) -> Result<Option<Authority>, HostError> {
    let mut stated = request.headers().get_all(HOST).iter();
    let (header, second) = (stated.next(), stated.next());
    if second.is_some() {
        return Err(HostError::TwoHosts);
    }
    let header = header.map(parse).transpose()?;
    let target = request.uri().authority();
    if target.is_some_and(|target| !is_plain(target)) {
        return Err(HostError::Malformed);
    }
    match (header, target) {
        (Some(header), Some(target)) if !are_equal(&header, target, request.uri().scheme()) => {
            Err(HostError::TwoHosts)
        }
        (Some(header), _) => Ok(Some(header)),
        // HTTP/1.1 wants the header also beside a whole URL.
        (None, Some(target)) if request.version() >= http::Version::HTTP_2 => {
            Ok(Some(target.clone()))
        }
        (None, _) => Ok(None),
    }
}

fn parse(value: &HeaderValue) -> Result<Authority, HostError> {
    let host = Authority::try_from(value.as_bytes()).ok();
    host.filter(is_plain).ok_or(HostError::Malformed)
}

/// Returns whether it is a host and a port, without a user.
fn is_plain(authority: &Authority) -> bool {
    let text = authority.as_str();
    let port = text.get(authority.host().len()..).unwrap_or_default();
    let port_is_one = match port.strip_prefix(':') {
        Some(port) => port.is_empty() || authority.port_u16().is_some(),
        None => port.is_empty(),
    };
    !text.contains('@') && !authority.host().is_empty() && port_is_one
}

fn are_equal(one: &Authority, other: &Authority, scheme: Option<&Scheme>) -> bool {
    let scheme = scheme.map_or("http", Scheme::as_str);
    name(one.host()) == name(other.host()) && port(one, scheme) == port(other, scheme)
}

/// Returns the port of a host, which is the scheme's own when it names none.
pub(super) fn port(host: &Authority, scheme: &str) -> Option<u16> {
    let usual = match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    };
    host.port_u16().or(usual)
}

/// Returns a host's name as names are compared.
pub(super) fn name(host: &str) -> String {
    host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase()
}

/// Returns whether a name is of this machine alone, whatever resolvers say: `localhost` and what lies under it,
/// 127.0.0.0/8 and `[::1]`.
pub(super) fn is_loopback(host: &str) -> bool {
    let host = name(host);
    if host == "localhost" || host.ends_with(".localhost") {
        return true;
    }
    if let Ok(address) = host.parse::<Ipv4Addr>() {
        return address.is_loopback();
    }
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    bare.is_some_and(|host| host.parse() == Ok(Ipv6Addr::LOCALHOST))
}

/// The hosts that are ours: loopback names, and some others.
#[derive(Clone, Debug)]
pub(super) struct OwnHosts(Arc<[String]>);

impl OwnHosts {
    pub(super) fn new<'h>(others: impl Iterator<Item = &'h str>) -> Self {
        Self(others.map(name).collect())
    }

    pub(super) fn have(&self, host: &str) -> bool {
        is_loopback(host) || self.0.contains(&name(host))
    }
}
