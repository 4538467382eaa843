//! All that decides the bytes of a report's file, as one value.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::encode::{FileFormat, Format, NEWEST_VERSION};
use crate::query::{ReportQuery, TimeRange};

/// The newest version of [`ReportSpec`] that this program knows; it runs every older one too.
///
/// A release that adds a format, an option or a member of the query gives it the next number, as `since` of the
/// [format's row](crate::encode::FormatSpec) or in its options' [`version`](crate::encode::FormatOptions::version).
/// A spec needs the highest number of what it uses and [says so](ReportSpec::version), and a worker takes only
/// specs that need no more than its own number. So while a fleet is replaced, older workers go on with everything
/// that asks for nothing new, and leave the rest to the others instead of ignoring what they do not know.
pub const SPEC_VERSION: i32 = NEWEST_VERSION;

/// A query, the format with the options that it is written with, and the file's name. Same snapshot, same spec:
/// same bytes.
///
/// Its JSON is what the ledger stores and what [`hash`](Self::hash) is of. It has one form: members in one order,
/// options at their default left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReportSpec {
    /// What is asked.
    pub query: ReportQuery,
    /// As what it is written.
    pub format: FileFormat,
    /// The name under which the file is downloaded.
    pub filename: String,
}

impl ReportSpec {
    /// Returns the spec whose file has the name that follows from the query: dataset, first and last day of the
    /// range, and the format's extension.
    #[must_use]
    pub fn new(query: ReportQuery, format: FileFormat) -> Self {
        let TimeRange { from, to } = query.time_range;
        let filename = format!(
            "{}-{}-{}.{}",
            query.dataset,
            from.format("%Y%m%d"),
            to.format("%Y%m%d"),
            format.format().spec().extension
        );
        Self {
            query,
            format,
            filename,
        }
    }

    /// Returns the spec of a request that was recorded in three columns, before there were options.
    #[must_use]
    pub fn from_parts(query: ReportQuery, format: Format, filename: String) -> Self {
        Self {
            query,
            format: format.into(),
            filename,
        }
    }

    /// Returns the lowest [`SPEC_VERSION`] of a program that makes this very file.
    #[must_use]
    pub fn version(&self) -> i32 {
        self.format.version()
    }

    /// Returns the SHA-256 of the spec's JSON, in lower-case hex: equal for equal specs, and only for them.
    ///
    /// # Errors
    /// None that is known of: every spec has a JSON.
    pub fn hash(&self) -> Result<String, serde_json::Error> {
        Ok(hex::encode(Sha256::digest(serde_json::to_vec(self)?)))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn query() -> ReportQuery {
        serde_json::from_value(json!({
            "dataset": "sessions",
            "time_range": { "from": "2026-04-24T00:00:00Z", "to": "2026-05-24T00:00:00.5Z" },
            "dimensions": ["status"],
            "filters": [
                { "field": "cost", "op": "in", "value": [1.50, 18_446_744_073_709_551_615_u64] },
                { "field": "status", "op": "eq", "value": null },
            ],
            "order_by": [{ "dimension": "status" }],
            "limit": null,
        }))
        .expect("a query")
    }

    #[test]
    fn a_spec_survives_its_json_and_nothing_newer_is_ignored() {
        for format in Format::ALL.iter().copied() {
            let spec = ReportSpec::new(query(), format.into());
            let text = serde_json::to_string(&spec).expect("JSON");
            assert_eq!(
                serde_json::from_str::<ReportSpec>(&text).ok(),
                Some(spec.clone())
            );
            let mut newer: Value = serde_json::from_str(&text).expect("JSON");
            newer["page_size"] = json!(1);
            assert!(serde_json::from_value::<ReportSpec>(newer).is_err());
            assert!((1..=SPEC_VERSION).contains(&spec.version()), "{format:?}");
        }
    }

    /// The ledger holds such texts and their hashes.
    #[test]
    fn the_stored_form_does_not_change() {
        let spec = ReportSpec::new(query(), Format::Csv.into());
        let stored = r#"{"query":{"dataset":"sessions","time_range":{"from":"2026-04-24T00:00:00Z","to":"2026-05-24T00:00:00.500Z"},"dimensions":["status"],"measures":[],"filters":[{"field":"cost","op":"in","value":[1.5,18446744073709551615]},{"field":"status","op":"eq","value":null}],"order_by":[{"dimension":"status","direction":"asc"}],"limit":null},"format":{"csv":{}},"filename":"sessions-20260424-20260524.csv"}"#;
        assert_eq!(serde_json::to_string(&spec).ok().as_deref(), Some(stored));
        assert_eq!(spec.version(), 1);
    }

    #[test]
    fn every_part_is_in_the_hash() {
        let spec = ReportSpec::new(query(), Format::Csv.into());
        let mut others = vec![
            ReportSpec::new(query(), Format::Json.into()),
            ReportSpec::from_parts(query(), Format::Csv, "mine.csv".to_owned()),
        ];
        let mut other = spec.clone();
        other.query.limit = Some(1);
        others.push(other);
        let mut hashes: Vec<String> = others.iter().filter_map(|spec| spec.hash().ok()).collect();
        hashes.push(spec.hash().expect("a hash"));
        assert!(hashes.iter().all(|hash| hash.len() == 64));
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), 4);
        let again = ReportSpec::from_parts(query(), Format::Csv, spec.filename.clone());
        assert_eq!(again.hash().ok(), spec.hash().ok());
    }
}
