//! Places in a JSON document.

/// An RFC 6901 pointer.
#[derive(Clone, Debug)]
pub(super) struct Pointer(String);

impl Pointer {
    /// Returns the pointer to the whole document.
    pub(super) fn root() -> Self {
        Self(String::new())
    }

    /// Returns the pointer to a member of the object that this one leads to.
    pub(super) fn member(&self, name: &str) -> Self {
        Self(format!(
            "{}/{}",
            self.0,
            name.replace('~', "~0").replace('/', "~1")
        ))
    }

    /// Returns the pointer to an entry of the array that this one leads to.
    pub(super) fn index(&self, index: usize) -> Self {
        Self(format!("{}/{index}", self.0))
    }

    /// Returns its text.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}
