//! The origin of a page (RFC 6454): scheme, host and port.

use http::HeaderValue;
use http::uri::Authority;

use super::host;

/// An origin that is not opaque.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    scheme: String,
    host: String,
    port: u16,
}

impl Origin {
    /// Reads an `Origin` header; `None` when it is opaque (`null`) or none at all.
    pub(super) fn of_header(value: &HeaderValue) -> Option<Self> {
        let (scheme, authority) = value.to_str().ok()?.split_once("://")?;
        Self::new(scheme, authority)
    }

    /// Reads a URL with `http` or `https`.
    pub(super) fn of_url(url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let authority = rest.split(['/', '?', '#']).next()?;
        Self::new(scheme, authority)
    }

    fn new(scheme: &str, authority: &str) -> Option<Self> {
        let scheme = scheme.to_ascii_lowercase();
        let authority: Authority = authority.parse().ok()?;
        let plain = !authority.as_str().contains('@') && !authority.host().is_empty();
        Some(Self {
            port: host::port(&authority, &scheme).filter(|_| plain)?,
            host: host::name(authority.host()),
            scheme,
        })
    }

    pub(super) fn scheme(&self) -> &str {
        &self.scheme
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }
}
