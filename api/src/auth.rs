//! Who asks. The only place that makes a [`Caller`] of a request.
//!
//! There is one mode, `none`: everyone is admin of `org_demo`, which is why the executable listens on
//! loopback addresses only in that mode. Handlers take [`Authenticated`] as an argument, so a route that
//! forgets it has no organisation to read for.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use http::request::Parts;
use waybill_shared::caller::{Caller, OrgId, Role};

use crate::state::ApiState;

/// The organisation of mode `none`.
const EVERYONE: &str = "org_demo";

/// The caller of a request.
#[derive(Clone, Debug)]
pub(crate) struct Authenticated(pub(crate) Caller);

impl FromRequestParts<ApiState> for Authenticated {
    type Rejection = Infallible;

    async fn from_request_parts(_: &mut Parts, _: &ApiState) -> Result<Self, Infallible> {
        Ok(Self(Caller {
            org: OrgId::new(EVERYONE),
            role: Role::Admin,
            key: None,
            datasets: None,
        }))
    }
}
