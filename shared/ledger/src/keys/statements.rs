//! The statements that both engines say alike, as [`sql::statements`](crate::sql).

pub(super) const INSERT: &str = "
INSERT INTO {waybill}api_keys (id, org_id, role, datasets, secret_sha256, created_at, expires_at)
VALUES ($1, $2, $3, $4, $5, {now}, $6)
RETURNING *";

pub(super) const LIST: &str = "SELECT * FROM {waybill}api_keys ORDER BY created_at, id";

pub(super) const REVOKE: &str = "
UPDATE {waybill}api_keys SET revoked_at = coalesce(revoked_at, {now}) WHERE id = $1";

pub(super) const FIND: &str = "
SELECT * FROM {waybill}api_keys
WHERE id = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > {now})";

pub(super) const USED: &str = "
UPDATE {waybill}api_keys SET last_used_at = {now}
WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < {now} - $2)";
