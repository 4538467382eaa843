//! Holding an answer against the OpenAPI document.

use http::header::{ALLOW, CONTENT_TYPE};
use http::{Method, StatusCode};

use super::answer::Answer;
use super::service::Service;

impl Service {
    /// Fails when the document does not know such an answer.
    pub(super) fn check_documented(&self, method: &Method, path: &str, answer: &Answer) {
        let path = if path.starts_with("/api/v1/") {
            &path["/api".len()..]
        } else {
            path
        };
        let about_the_head = answer.is_about_the_head();
        let paths = self.document["paths"].as_object().expect("paths");
        let Some((template, item)) = paths.iter().find(|(template, _)| covers(template, path))
        else {
            assert!(
                about_the_head || answer.status == StatusCode::NOT_FOUND,
                "{path} is not documented: {answer:?}"
            );
            return;
        };
        let documented = if *method == Method::HEAD {
            "get"
        } else {
            &method.as_str().to_lowercase()
        };
        let Some(operation) = item.get(documented) else {
            let not_allowed = answer.status == StatusCode::METHOD_NOT_ALLOWED;
            let told = not_allowed && answer.headers.contains_key(ALLOW);
            assert!(about_the_head || told, "{method} {path}: {answer:?}");
            return;
        };
        if *method == Method::HEAD && template.ends_with("/download") && answer.status.is_success()
        {
            // What GET answers with a redirect.
            return;
        }
        let status = answer.status.as_u16();
        let response = &operation["responses"][status.to_string()];
        if !response.is_object() && about_the_head {
            return;
        }
        assert!(
            response.is_object(),
            "{method} {template} gave an undocumented {status}"
        );
        if let Some(content_type) = answer.header(CONTENT_TYPE.as_str()) {
            let essence = content_type.split(';').next().unwrap_or_default();
            let content = &response["content"][essence];
            assert!(
                content.is_object(),
                "{method} {template} {status} as {essence}"
            );
        }
        for header in [
            "retry-after",
            "location",
            "etag",
            "preference-applied",
            "idempotent-replayed",
            "content-disposition",
            "www-authenticate",
        ] {
            let documented = response["headers"].as_object().is_some_and(|headers| {
                headers.keys().any(|name| name.eq_ignore_ascii_case(header))
            });
            let sent = answer.headers.contains_key(header);
            assert!(
                documented || !sent,
                "{method} {template} {status} sends {header}"
            );
        }
        let seen = (template.clone(), documented.to_owned(), status);
        self.seen.lock().insert(seen);
    }
}

/// Whether a path is of this template.
fn covers(template: &str, path: &str) -> bool {
    let (template, path): (Vec<&str>, Vec<&str>) =
        (template.split('/').collect(), path.split('/').collect());
    template.len() == path.len()
        && template
            .iter()
            .zip(&path)
            .all(|(part, given)| part == given || (part.starts_with('{') && !given.is_empty()))
}
