//! What is asked of a ledger to accept.

use serde::Serialize;
use sha2::{Digest, Sha256};
use waybill_report::caller::{KeyId, OrgId};
use waybill_report::query::ReportQuery;
use waybill_report::spec::ReportSpec;

use crate::error::LedgerError;
use crate::export::Lane;

/// An export to be recorded.
#[derive(Clone, Debug)]
pub struct NewExport {
    /// Whose it is.
    pub org: OrgId,
    /// The key that asked; `None` where no keys are asked for.
    pub made_by: Option<KeyId>,
    /// What is asked.
    pub spec: ReportSpec,
    /// How many failures end it.
    pub max_attempts: u32,
    /// Rows expected, by the planner.
    pub estimated_rows: Option<u64>,
    /// In which lane it waits.
    pub lane: Lane,
}

impl NewExport {
    /// Returns whose idempotency keys these are beside the organisation's: the API key's id, or nothing.
    pub(crate) fn key_holder(&self) -> &str {
        self.made_by.as_ref().map_or("", KeyId::as_str)
    }

    /// Returns the SHA-256 of who asks for what, in lower-case hex: the same for identical requests of
    /// one key, and only for them.
    ///
    /// It is of the whole spec. One that is its query and its format, and the rest as that follows from
    /// them, has the name that it had before there were specs: programs of before and of now stand beside
    /// each other on one database, and requests that were recorded then are replayed and joined now.
    pub(crate) fn request(&self) -> Result<String, LedgerError> {
        let (query, format) = (&self.spec.query, self.spec.format.format());
        if self.spec == ReportSpec::new(query.clone(), format.into()) {
            let format = format.name();
            self.digest(&QueryAndFormat { query, format })
        } else {
            self.digest(&Whole { spec: &self.spec })
        }
    }

    fn digest(&self, asked: &impl Serialize) -> Result<String, LedgerError> {
        let request = Request {
            org: self.org.as_str(),
            made_by: self.made_by.as_ref().map(KeyId::as_str),
            asked,
        };
        let json = serde_json::to_vec(&request);
        let json = json.map_err(|error| LedgerError::Corrupt(error.to_string()))?;
        Ok(hex::encode(Sha256::digest(json)))
    }
}

#[derive(Serialize)]
struct Request<'a, A> {
    org: &'a str,
    made_by: Option<&'a str>,
    #[serde(flatten)]
    asked: &'a A,
}

#[derive(Serialize)]
struct QueryAndFormat<'a> {
    query: &'a ReportQuery,
    format: &'a str,
}

#[derive(Serialize)]
struct Whole<'a> {
    spec: &'a ReportSpec,
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use waybill_report::encode::Format;

    use super::*;

    fn asked(limit: u64, format: Format) -> NewExport {
        let query = json!({
            "dataset": "sessions",
            "time_range": { "from": "2026-04-24T00:00:00Z", "to": "2026-05-24T00:00:00Z" },
            "filters": [{ "field": "cost", "op": "gt", "value": 1.50 }],
            "limit": limit,
        });
        let query = serde_json::from_value(query).expect("a query");
        NewExport {
            org: OrgId::new("a"),
            made_by: None,
            spec: ReportSpec::new(query, format.into()),
            max_attempts: 5,
            estimated_rows: None,
            lane: Lane::Large,
        }
    }

    /// Databases hold such names.
    #[test]
    fn a_plain_request_has_the_name_that_it_had_before_there_were_specs() {
        let json = r#"{"org":"a","made_by":null,"query":{"dataset":"sessions","time_range":{"from":"2026-04-24T00:00:00Z","to":"2026-05-24T00:00:00Z"},"dimensions":[],"measures":[],"filters":[{"field":"cost","op":"gt","value":1.5}],"order_by":[],"limit":7},"format":"csv"}"#;
        let before = hex::encode(Sha256::digest(json));
        let request = asked(7, Format::Csv).request();
        assert_eq!(request.expect("a name"), before);
    }

    #[test]
    fn every_part_of_a_request_is_in_its_name() {
        let plain = asked(7, Format::Csv);
        let mut names: Vec<String> = [
            plain.clone(),
            asked(8, Format::Csv),
            asked(7, Format::Json),
            NewExport {
                org: OrgId::new("b"),
                ..plain.clone()
            },
            NewExport {
                made_by: Some(KeyId::generate()),
                ..plain.clone()
            },
            NewExport {
                spec: ReportSpec {
                    filename: "another.csv".to_owned(),
                    ..plain.spec.clone()
                },
                ..plain.clone()
            },
        ]
        .iter()
        .map(|new| new.request().expect("a name"))
        .collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 6);
        let later = NewExport {
            max_attempts: 1,
            estimated_rows: Some(1),
            lane: Lane::Small,
            ..plain.clone()
        };
        let (later, plain) = (later.request(), plain.request());
        assert_eq!(later.expect("a name"), plain.expect("a name"));
    }
}
