//! What a database has: its tables and views, for a catalog to be drafted from.
//!
//! A source says what only its database knows: how a name is quoted, which catalog type a column can
//! have and by which SQL. What a catalog makes of it is not decided here.

use crate::column::ColumnType;

/// The columns of an index over all rows of a table, in its order. An expression has no name, so
/// it is the empty text.
pub type Index = Vec<String>;

/// A table or view that the source may read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// The schema that it lies in; `None` where the database has none.
    pub schema: Option<String>,
    /// Its name in the schema, as it is.
    pub name: String,
    /// Whether the name finds it only with the schema.
    pub needs_schema: bool,
    /// What stands for it behind FROM: quoted and qualified where it must be.
    pub sql: String,
    /// What of it may be read, in its own order.
    pub columns: Vec<TableColumn>,
    /// Its indexes over all rows; empty for a view.
    pub indexes: Vec<Index>,
}

impl Table {
    /// The name as a person writes it: with the schema where it needs one.
    #[must_use]
    pub fn title(&self) -> String {
        match &self.schema {
            Some(schema) if self.needs_schema => format!("{schema}.{}", self.name),
            _ => self.name.clone(),
        }
    }

    /// Whether this names it: `orders` or, with its schema, `public.orders`.
    #[must_use]
    pub fn is_called(&self, name: &str) -> bool {
        let schema = self.schema.as_deref();
        self.name == name || schema.is_some_and(|schema| format!("{schema}.{}", self.name) == name)
    }
}

/// One column of a table, and how a report can have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableColumn {
    /// Its name, as it is.
    pub name: String,
    /// What stands for it in SQL: quoted where it must be.
    pub sql: String,
    /// Its type as the database names it; may be empty.
    pub native_type: String,
    /// Whether rows may be without a value.
    pub nullable: bool,
    /// Whether it alone tells one row from another.
    pub unique: bool,
    /// How a report can have its values.
    pub content: Content,
}

/// The values of a column as a report can have them. The default is a column that no catalog type holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content {
    /// The values themselves.
    pub value: Option<Projection>,
    /// The day in UTC of an instant, as a date.
    pub day: Option<String>,
    /// The sum, of what can be added.
    pub sum: Option<Projection>,
    /// The mean, of what can be added.
    pub mean: Option<Projection>,
    /// What is to be known about the choice of the type, for people.
    pub remark: Option<String>,
}

/// An SQL expression and the catalog type of what it gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Projection {
    /// The expression.
    pub sql: String,
    /// Its type.
    pub column_type: ColumnType,
}

impl Projection {
    /// An expression of this type.
    #[must_use]
    pub fn new(sql: impl Into<String>, column_type: ColumnType) -> Self {
        Self {
            sql: sql.into(),
            column_type,
        }
    }
}

impl Content {
    /// Values that are neither added up nor instants.
    pub(crate) fn plain(sql: impl Into<String>, column_type: ColumnType) -> Self {
        Self {
            value: Some(Projection::new(sql, column_type)),
            ..Self::default()
        }
    }

    /// The same with something to be known about it.
    pub(crate) fn remarked(mut self, remark: impl Into<String>) -> Self {
        self.remark = Some(remark.into());
        self
    }

    /// The same with the day of its instants.
    pub(crate) fn with_day(mut self, sql: impl Into<String>) -> Self {
        self.day = Some(sql.into());
        self
    }

    /// The same with its sum and its mean.
    pub(crate) fn added(mut self, sum: Projection, mean: Projection) -> Self {
        (self.sum, self.mean) = (Some(sum), Some(mean));
        self
    }
}

/// The words of a name in lower case: `orderLineID` and `order-line_id` are `order`, `line`, `id`.
/// Letters beyond ASCII are written as their nearest ones, and what has none parts two words.
pub(crate) fn words_of(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let chars: Vec<char> = name.chars().collect();
    for (at, c) in chars.iter().enumerate() {
        let before = at.checked_sub(1).map(|before| chars[before]);
        let after = chars.get(at + 1);
        let begins = c.is_uppercase()
            && (before.is_some_and(|before| !before.is_uppercase())
                || after.is_some_and(|after| after.is_lowercase()));
        let letters = ascii(*c);
        if begins || letters.is_empty() {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut() {
            word.push_str(&letters);
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// A letter or digit as ASCII in lower case; nothing for any other character.
fn ascii(c: char) -> String {
    let lower = c.to_lowercase().next().unwrap_or(c);
    let near = match lower {
        'a'..='z' | '0'..='9' => return lower.to_string(),
        'à' | 'á' | 'â' | 'ã' | 'å' => "a",
        'ä' | 'æ' => "ae",
        'ç' => "c",
        'è' | 'é' | 'ê' | 'ë' => "e",
        'ì' | 'í' | 'î' | 'ï' => "i",
        'ñ' => "n",
        'ò' | 'ó' | 'ô' | 'õ' | 'ø' => "o",
        'ö' | 'œ' => "oe",
        'ù' | 'ú' | 'û' => "u",
        'ü' => "ue",
        'ß' => "ss",
        _ => "",
    };
    near.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_told_in_its_words() {
        for (name, words) in [
            ("created_at", "created at"),
            ("createdAt", "created at"),
            ("OrderLineID", "order line id"),
            ("HTTPStatus", "http status"),
            ("Größe (cm)", "groesse cm"),
            ("2nd", "2nd"),
            ("日本", ""),
            ("", ""),
        ] {
            assert_eq!(words_of(name).join(" "), words, "{name}");
        }
    }
}
