//! What a database makes of the catalog's expressions, where it has types of its own.
//!
//! Owns what is worth knowing of a type. A source asks its database; a statement is written after the answer.

use std::collections::HashMap;

/// The types of expressions, by their text. An expression that is not among them is taken to be of the type that
/// the catalog says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredTypes {
    by_expression: HashMap<String, StoredType>,
    /// The database's encoding has fewer characters than a request, and the server converts between the two.
    pub narrow_encoding: bool,
}

/// One type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredType {
    /// Its name in the database's own catalog, of a domain that of the type it is made of: `float4`, `citext`.
    pub name: String,
    /// Whether texts are equal only if their bytes are. Collations can say otherwise.
    pub is_bytewise: bool,
}

impl StoredTypes {
    /// Adds what is known of one expression.
    pub fn insert(&mut self, expression: impl Into<String>, stored: StoredType) {
        self.by_expression.insert(expression.into(), stored);
    }

    /// Adds all that others know.
    pub fn extend(&mut self, others: Self) {
        self.by_expression.extend(others.by_expression);
        self.narrow_encoding |= others.narrow_encoding;
    }

    /// The type of an expression, where it is known.
    #[must_use]
    pub fn of(&self, expression: &str) -> Option<&StoredType> {
        self.by_expression.get(expression)
    }

    /// The name of the type of an expression; empty where it is not known.
    #[must_use]
    pub fn name_of(&self, expression: &str) -> &str {
        self.of(expression).map_or("", |stored| &stored.name)
    }
}

impl StoredType {
    /// Whether it is a text, whose operators are those of texts.
    #[must_use]
    pub fn is_text(&self) -> bool {
        matches!(self.name.as_str(), "text" | "varchar")
    }

    /// Whether it is a number that may have a fraction.
    #[must_use]
    pub fn may_have_fraction(&self) -> bool {
        matches!(self.name.as_str(), "numeric" | "float4" | "float8")
    }

    /// Whether it is a whole number.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        matches!(self.name.as_str(), "int2" | "int4" | "int8")
    }
}
