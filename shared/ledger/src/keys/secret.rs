//! The text of a secret: `waybill_<id>_<chance>`, such as `waybill_0a1b2c3d4e5f6g7h_6Tq…`. The prefix
//! lets scanners of leaked secrets know one when they see it: `\bwaybill_[a-z0-9]{16}_[A-Za-z0-9]{40}\b`.

use rand::RngExt as _;
use rand::distr::Alphanumeric;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use waybill_config::Secret;
use waybill_report::caller::KeyId;

const PREFIX: &str = "waybill_";
/// Letters and digits, 5.95 bits each.
const CHANCE: usize = 40;

/// A new secret for a key.
pub(super) fn generate(id: &KeyId) -> Secret {
    let chance: String = rand::rng()
        .sample_iter(Alphanumeric)
        .take(CHANCE)
        .map(char::from)
        .collect();
    Secret::from(format!("{PREFIX}{}_{chance}", id.letters()))
}

/// The key that a text says it is the secret of. Proves nothing yet.
pub(super) fn claimed_id(presented: &str) -> Option<KeyId> {
    let (letters, chance) = presented.strip_prefix(PREFIX)?.split_once('_')?;
    let possible =
        chance.len() == CHANCE && chance.bytes().all(|byte| byte.is_ascii_alphanumeric());
    possible.then(|| KeyId::from_letters(letters)).flatten()
}

/// What is stored of a secret.
pub(super) fn hash(secret: &str) -> Vec<u8> {
    Sha256::digest(secret).to_vec()
}

/// Whether the stored hash is the presented secret's. Takes as long for a wrong one.
pub(super) fn is(stored: &[u8], presented: &str) -> bool {
    stored.ct_eq(&hash(presented)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_names_its_key_and_matches_its_hash_alone() {
        let id = KeyId::generate();
        let (secret, other) = (generate(&id), generate(&id));
        assert_eq!(claimed_id(secret.expose()), Some(id));
        let stored = hash(secret.expose());
        assert!(is(&stored, secret.expose()));
        assert!(!is(&stored, other.expose()));
        assert!(!is(&[], secret.expose()));
    }

    /// `docs/SECURITY.md` gives this shape to scanners of leaked secrets.
    #[test]
    fn a_secret_has_the_shape_that_scanners_look_for() {
        let secret = generate(&KeyId::generate());
        let rest = secret.expose().strip_prefix("waybill_").expect("a prefix");
        let (id, chance) = rest.split_once('_').expect("two parts");
        let small = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        assert!(id.len() == 16 && id.chars().all(small));
        assert!(chance.len() == 40 && chance.chars().all(|c| c.is_ascii_alphanumeric()));
    }

    #[test]
    fn other_texts_name_no_key() {
        let secret = generate(&KeyId::generate());
        let secret = secret.expose();
        let cut = &secret[..secret.len() - 1];
        let wrong = [
            "",
            "waybill_",
            "waybill__",
            cut,
            &format!("{secret}x"),
            &format!("{cut}é"),
            &secret.to_uppercase(),
            &secret.replacen("waybill_", "key_", 1),
        ];
        for wrong in wrong {
            assert_eq!(claimed_id(wrong), None, "{wrong}");
        }
    }
}
