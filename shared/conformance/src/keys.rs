//! What every store of keys must do, whichever database it is on. A store's own tests call [`run`].

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, Utc};
use waybill_config::Secret;
use waybill_report::caller::{KeyId, OrgId, Role};

use waybill_ledger::keys::{KeyStore, NewKey};

/// Runs the suite on an empty store.
pub async fn run(keys: &dyn KeyStore) {
    a_key_is_found_by_its_secret_alone(keys).await;
    a_key_keeps_what_it_was_made_with(keys).await;
    a_key_ends(keys).await;
    a_use_is_recorded_now_and_then(keys).await;
}

fn new(role: Role, datasets: Option<&[&str]>, expires_at: Option<DateTime<Utc>>) -> NewKey {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    NewKey {
        org: OrgId::new("org_a"),
        role,
        datasets: datasets.map(names),
        expires_at,
    }
}

/// What has the shape of a key's secret and is none.
fn guess(id: &KeyId) -> String {
    format!("waybill_{}_{}", id.letters(), "0".repeat(40))
}

async fn finds(keys: &dyn KeyStore, secret: &str) -> Option<KeyId> {
    let found = keys.find(secret).await.expect("the store");
    if let Some(key) = &found {
        let valid = keys.valid(&key.id).await.expect("the store");
        assert_eq!(valid, found, "by its id it is the same");
    }
    // So it is among others, whatever they are.
    let others = guess(&KeyId::generate());
    let many = [&others, secret, "", secret].map(str::to_owned);
    let many = keys.find_many(&many).await.expect("the store");
    let many: Vec<_> = many
        .into_iter()
        .map(|one| one.expect("it is readable"))
        .collect();
    assert_eq!(many, [None, found.clone(), None, found.clone()]);
    found.map(|key| key.id)
}

async fn is_valid(keys: &dyn KeyStore, id: &KeyId) -> bool {
    keys.valid(id).await.expect("the store").is_some()
}

async fn a_key_is_found_by_its_secret_alone(keys: &dyn KeyStore) {
    let created = keys.create(new(Role::Admin, None, None)).await;
    let (key, secret) = created.expect("the store");
    let secret = secret.expose();
    assert_eq!(finds(keys, secret).await, Some(key.id.clone()));
    assert_eq!(secret.split('_').nth(1), Some(key.id.letters()));

    let another = guess(&key.id);
    assert_eq!(finds(keys, &another).await, None, "a wrong secret");
    let unknown = guess(&KeyId::generate());
    assert_eq!(finds(keys, &unknown).await, None, "an unknown key");
    for malformed in [
        "",
        "waybill_",
        key.id.as_str(),
        &secret[1..],
        &format!("{secret} "),
    ] {
        assert_eq!(finds(keys, malformed).await, None, "{malformed}");
    }
}

async fn a_key_keeps_what_it_was_made_with(keys: &dyn KeyStore) {
    let before = keys.list().await.expect("the store").len();
    let expires_at = DateTime::from_timestamp(4_102_444_800, 0);
    let mut made = Vec::new();
    for new in [
        new(
            Role::Viewer,
            Some(&["sessions", "it's \"quoted\""]),
            expires_at,
        ),
        new(Role::Viewer, Some(&[]), None),
        new(Role::Admin, None, None),
    ] {
        let (key, secret) = keys.create(new.clone()).await.expect("the store");
        assert_eq!((&key.org, key.role), (&new.org, new.role));
        assert_eq!(
            (&key.datasets, key.expires_at),
            (&new.datasets, new.expires_at)
        );
        assert_eq!((key.revoked_at, key.last_used_at), (None, None));
        let found = keys.find(secret.expose()).await.expect("the store");
        assert_eq!(found.as_ref(), Some(&key));
        let caller = key.clone().caller();
        assert_eq!(
            (caller.key.as_ref(), &caller.datasets),
            (Some(&key.id), &key.datasets)
        );
        made.push(key);
    }
    let listed = keys.list().await.expect("the store");
    assert_eq!(listed[before..], made);
    let ids: BTreeSet<&KeyId> = listed.iter().map(|key| &key.id).collect();
    assert_eq!(ids.len(), listed.len());
}

async fn a_key_ends(keys: &dyn KeyStore) {
    let soon = Utc::now() + Duration::from_secs(3_600);
    let past = Utc::now() - Duration::from_secs(3_600);
    let make = async |expires_at| -> (KeyId, Secret) {
        let created = keys.create(new(Role::Viewer, None, expires_at)).await;
        let (key, secret) = created.expect("the store");
        (key.id, secret)
    };
    let (expired_id, expired) = make(Some(past)).await;
    assert_eq!(finds(keys, expired.expose()).await, None);
    assert!(!is_valid(keys, &expired_id).await);
    assert!(!is_valid(keys, &KeyId::generate()).await);
    let (id, secret) = make(Some(soon)).await;
    assert_eq!(finds(keys, secret.expose()).await, Some(id.clone()));
    assert!(is_valid(keys, &id).await);

    assert!(keys.revoke(&id).await.expect("the store"));
    assert_eq!(finds(keys, secret.expose()).await, None);
    assert!(!is_valid(keys, &id).await);
    let revoked_at = async || {
        let listed = keys.list().await.expect("the store");
        let key = listed.into_iter().find(|key| key.id == id);
        key.expect("revoked keys are listed").revoked_at
    };
    let first = revoked_at().await;
    assert!(first.is_some());
    assert!(
        keys.revoke(&id).await.expect("the store"),
        "there is such a key"
    );
    assert_eq!(revoked_at().await, first);
    let unknown = keys.revoke(&KeyId::generate()).await;
    assert!(!unknown.expect("the store"));
}

async fn a_use_is_recorded_now_and_then(keys: &dyn KeyStore) {
    const HOUR: Duration = Duration::from_secs(3_600);
    let created = keys.create(new(Role::Viewer, None, None)).await;
    let (key, secret) = created.expect("the store");
    let last_used = async || {
        let found = keys.find(secret.expose()).await.expect("the store");
        found.expect("it is valid").last_used_at
    };
    keys.used(&key.id, HOUR).await.expect("the store");
    let first = last_used().await.expect("it was used");
    assert!(first >= key.created_at, "{first} after {}", key.created_at);
    keys.used(&key.id, HOUR).await.expect("the store");
    assert_eq!(last_used().await, Some(first), "that is fresh enough");

    keys.used(&key.id, Duration::ZERO).await.expect("the store");
    let second = last_used().await.expect("it was used");
    assert!(second > first, "{second} after {first}");
    let listed = keys.list().await.expect("the store");
    let listed = listed.into_iter().find(|listed| listed.id == key.id);
    assert_eq!(listed.and_then(|key| key.last_used_at), Some(second));
    // A use that is recorded late, of a key that is gone, is nobody's fault.
    let gone = keys.used(&KeyId::generate(), HOUR).await;
    gone.expect("the store");
}
