//! The operations of an OpenAPI document, found by the route that a request was matched to.

use std::collections::HashMap;
use std::sync::Arc;

use http::Method;
use utoipa::openapi::OpenApi;

use crate::links::API_PREFIX;

/// Something of each operation; a clone is the same.
#[derive(Clone, Debug)]
pub(crate) struct Operations<T>(Arc<HashMap<String, Vec<(Method, T)>>>);

impl<T> Operations<T> {
    /// Makes it of each operation's id.
    pub(crate) fn of(document: &OpenApi, mut make: impl FnMut(&str) -> T) -> Self {
        let paths = document.paths.paths.iter().map(|(path, item)| {
            let methods = [
                (Method::GET, &item.get),
                (Method::POST, &item.post),
                (Method::DELETE, &item.delete),
            ];
            let operations = methods.into_iter().filter_map(|(method, operation)| {
                let id = operation.as_ref()?.operation_id.as_deref()?;
                Some((method, make(id)))
            });
            (path.clone(), operations.collect())
        });
        Self(Arc::new(paths.collect()))
    }

    /// Returns that of the operation that a method has at a path template, with the API's prefix or
    /// without.
    pub(crate) fn get(&self, method: &Method, path: &str) -> Option<&T> {
        // Every route of `/v1` is served at a second place, and is one operation all the same.
        let path = path
            .strip_prefix(API_PREFIX)
            .filter(|path| path.starts_with("/v1/"))
            .unwrap_or(path);
        // Where there is a GET there is a HEAD.
        let method = if *method == Method::HEAD {
            &Method::GET
        } else {
            method
        };
        let operations = self.0.get(path)?;
        let found = operations.iter().find(|(known, _)| known == method);
        found.map(|(_, of_operation)| of_operation)
    }
}
