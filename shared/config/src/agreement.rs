//! What must hold between settings, wherever each was set.

use std::net::SocketAddr;

use crate::merged::Merged;

impl Merged {
    /// Adds the mistakes that are in no setting alone.
    pub(super) fn check_agreement(&mut self) {
        self.check_key_pair();
        self.check_auth();
    }

    /// Half a key pair would fall back to credentials that nobody meant.
    fn check_key_pair(&mut self) {
        let (id, secret) = ("storage.access_key_id", "storage.secret_access_key");
        for (given, other) in [(id, secret), (secret, id)] {
            let lonely = self.origin(other).is_none();
            if let Some(origin) = self.origin(given).filter(|_| lonely).cloned() {
                let message = format!("is set without {other}; set both or neither");
                self.fault(origin, given.to_owned(), message);
            }
        }
    }

    fn check_auth(&mut self) {
        let open = self.text("auth.mode") == Some("none");
        let listen = self.text("api.listen");
        let address = listen.and_then(|listen| listen.parse::<SocketAddr>().ok());
        let Some(address) = address.filter(|address| open && !address.ip().is_loopback()) else {
            return;
        };
        let message = format!(
            r#"auth.mode = "none" is for loopback addresses only, and api.listen is {address}"#
        );
        // Whoever spoke last made the two contradict each other.
        let last = ["auth.mode", "api.listen"]
            .into_iter()
            .max_by_key(|setting| self.origin(setting));
        if let Some((setting, origin)) = last.and_then(|s| Some((s, self.origin(s)?.clone()))) {
            self.fault(origin, setting.to_owned(), message);
        }
    }
}
