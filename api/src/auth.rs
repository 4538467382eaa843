//! Who asks. The only place that makes a [`Caller`] of a request.
//!
//! Handlers take [`Authenticated`] as an argument, so a route that forgets it has no organisation to read
//! for. Without keys everyone is admin of `org_demo`, which is why the executable then listens on loopback
//! addresses only. A key itself is never kept and never logged, not even by a debug print. How often a key
//! may call is settled here, too, before anything is done for it.

mod batched_lookups;
mod caller_cache;
mod negative_cache;
mod rate_limits;
mod revalidation;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRef, FromRequestParts};
use chrono::Utc;
use governor::clock::DefaultClock;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use http::request::Parts;
use waybill_config::LimitSettings;
use waybill_ledger::keys::{ApiKey, KeyStore};
use waybill_report::caller::{Caller, OrgId, Role};

use self::batched_lookups::BatchedLookups;
use self::caller_cache::CallerCache;
use self::negative_cache::NegativeCache;
use self::rate_limits::RateLimits;
use self::revalidation::Revalidation;
use crate::middleware::request_span;
use crate::openapi::published::operation_of;
use crate::problem::{Problem, ProblemCode};
use crate::retry_after;

/// The organisation of those who need no key.
const DEMO_ORG: &str = "org_demo";
/// How old the recorded time of a key's last use may get while the key is in use.
const USE_RECORD_INTERVAL: Duration = Duration::from_secs(60);

/// Who may call.
#[derive(Clone)]
pub enum Access {
    /// Everyone, as admin of `org_demo`.
    Everyone,
    /// Holders of one of these keys.
    Keys(Arc<dyn KeyStore>),
}

/// The caller of a request.
#[derive(Clone, Debug)]
pub(crate) struct Authenticated(pub(crate) Caller);

impl<S> FromRequestParts<S> for Authenticated
where
    S: Send + Sync,
    Arc<Authenticator>: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let authenticator = Arc::<Authenticator>::from_ref(state);
        let caller = authenticator.caller(&parts.headers).await;
        caller.map(Self).map_err(|problem| {
            // No handler gets to say which operation it was.
            match operation_of(parts) {
                Some(operation) => problem.of_operation(operation),
                None => problem,
            }
        })
    }
}

/// Finds the caller of a request.
pub(crate) struct Authenticator {
    access: Access,
    callers: CallerCache,
    rejected: NegativeCache,
    lookups: BatchedLookups,
    revalidation: Revalidation,
    rate_limits: RateLimits,
}

impl Authenticator {
    pub(crate) fn new(access: Access, limits: &LimitSettings) -> Self {
        Self {
            access,
            callers: CallerCache::default(),
            rejected: NegativeCache::default(),
            lookups: BatchedLookups::default(),
            revalidation: Revalidation::default(),
            rate_limits: RateLimits::new(limits, DefaultClock::default()),
        }
    }

    /// Returns the caller as its key makes it now; not of more than 3 seconds ago. Asked before something is
    /// told to a caller who was let in some time ago: a link, an event, the rows of a long query.
    ///
    /// # Errors
    /// 401 when the key is no longer in force; 503 when nobody can say.
    pub(crate) async fn current(&self, caller: &Caller) -> Result<Caller, Problem> {
        match &self.access {
            Access::Everyone => Ok(caller.clone()),
            Access::Keys(keys) => self.revalidation.of(caller, keys.as_ref()).await,
        }
    }

    /// Finds who asks, and counts the request.
    async fn caller(&self, headers: &HeaderMap) -> Result<Caller, Problem> {
        let caller = self.authenticated(headers).await?;
        request_span::record_caller(&caller);
        if let Some(key) = &caller.key {
            self.rate_limits.count(key).map_err(rate_limited)?;
        }
        Ok(caller)
    }

    async fn authenticated(&self, headers: &HeaderMap) -> Result<Caller, Problem> {
        let keys = match &self.access {
            Access::Everyone => return Ok(everyone()),
            Access::Keys(keys) => keys,
        };
        let presented = bearer(headers).ok_or_else(Problem::unauthorized)?;
        if let Some(caller) = self.callers.get(presented) {
            return Ok(caller);
        }
        if self.rejected.have(presented) {
            return Err(Problem::unauthorized());
        }
        let Some(key) = self.lookups.find(keys, presented).await? else {
            self.rejected.keep(presented);
            return Err(Problem::unauthorized());
        };
        record_use(keys, &key);
        let expires_at = key.expires_at;
        let caller = key.caller();
        self.callers.keep(presented, caller.clone(), expires_at);
        self.revalidation.know(&caller, expires_at);
        Ok(caller)
    }
}

/// Records that a key is used, beside the request: nobody waits for it, and it fails nobody.
#[expect(
    clippy::disallowed_methods,
    reason = "roughly how long ago a use was recorded; one that is not is no loss"
)]
fn record_use(keys: &Arc<dyn KeyStore>, key: &ApiKey) {
    let recorded = key.last_used_at;
    if recorded.is_some_and(|at| Utc::now() < at + USE_RECORD_INTERVAL) {
        return;
    }
    let (keys, id) = (Arc::clone(keys), key.id.clone());
    tokio::spawn(async move {
        if let Err(error) = keys.used(&id, USE_RECORD_INTERVAL).await {
            tracing::debug!(key_id = %id, cause = %error, "the use of a key could not be recorded");
        }
    });
}

fn rate_limited(wait: Duration) -> Problem {
    let detail = "This API key sends more requests than it may.";
    Problem::new(ProblemCode::RateLimited, detail).retry_after(retry_after::spread(wait))
}

fn everyone() -> Caller {
    Caller {
        org: OrgId::new(DEMO_ORG),
        role: Role::Admin,
        key: None,
        datasets: None,
    }
}

/// Returns the token of `Authorization: Bearer …` (RFC 6750), whatever the scheme's case (RFC 7235). Two such
/// headers are none: a proxy and this service might each believe another one.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (first, second) = (values.next()?, values.next());
    let (scheme, token) = first.to_str().ok()?.split_once(' ')?;
    let token = token.trim_matches(' ');
    let wanted = second.is_none() && scheme.eq_ignore_ascii_case("bearer");
    (wanted && !token.is_empty()).then_some(token)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn of(values: &[&'static str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_static(value));
        }
        bearer(&headers).map(str::to_owned)
    }

    #[test]
    fn only_one_bearer_token_is_one() {
        for header in ["Bearer abc", "bearer abc", "BEARER   abc "] {
            assert_eq!(of(&[header]).as_deref(), Some("abc"), "{header}");
        }
        for header in ["", "abc", "Bearer", "Bearer ", "Basic abc", "Bearerabc"] {
            assert_eq!(of(&[header]), None, "{header}");
        }
        assert_eq!(of(&["Bearer abc", "Bearer abc"]), None);
        assert_eq!(of(&[]), None);
    }
}
