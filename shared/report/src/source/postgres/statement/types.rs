//! Asks PostgreSQL for the types of expressions, without a row being read.

use crate::catalog::Relation;
use crate::column::ColumnKind;
use crate::source::statement::from_clause;

/// A `SELECT` of one row for each expression: its number (`int4`), the name of its type, of a domain that of what
/// it is made of (`text`), whether texts are equal to it by their bytes alone (`bool`), and the encoding of the
/// database (`text`).
///
/// Nothing is read of a derived table of no rows, and a column of it is NULL of its type.
pub(in crate::source::postgres) fn stored_types(
    relation: &Relation,
    expressions: &[(&str, ColumnKind)],
) -> String {
    let relation = from_clause(relation);
    let mut derived = String::new();
    for kind in [ColumnKind::Dimension, ColumnKind::Measure] {
        let selected: Vec<String> = expressions
            .iter()
            .enumerate()
            .filter(|(_, (_, of_kind))| *of_kind == kind)
            .map(|(number, (sql, _))| {
                // A type without a collation could not be asked for one, and a cast to text keeps it.
                format!("({sql}) AS value{number}, ({sql})::text AS text{number}")
            })
            .collect();
        if !selected.is_empty() {
            let name = match kind {
                ColumnKind::Dimension => "single",
                ColumnKind::Measure => "grouped",
            };
            let selected = selected.join(", ");
            derived.push_str(&format!(
                "\nLEFT JOIN (SELECT {selected} FROM {relation} LIMIT 0) AS {name} ON TRUE"
            ));
        }
    }
    let asked: Vec<String> = (0..expressions.len())
        .map(|number| {
            format!("({number}, pg_typeof(value{number})::oid, pg_collation_for(text{number}))")
        })
        .collect();
    format!(
        "\
SELECT asked.number::int4, coalesce(bottom.typname, base.typname, own.typname)::text,
  NOT EXISTS (
    SELECT FROM pg_collation AS named
    WHERE NOT named.collisdeterministic AND asked.collated COLLATE \"C\" IN (
      quote_ident(named.collname),
      named.collnamespace::regnamespace::text || '.' || quote_ident(named.collname)
    )
  ),
  getdatabaseencoding()::text
FROM (VALUES (1)) AS one{derived}
CROSS JOIN LATERAL (VALUES {}) AS asked (number, type, collated)
JOIN pg_type AS own ON own.oid = asked.type
LEFT JOIN pg_type AS base ON base.oid = own.typbasetype
LEFT JOIN pg_type AS bottom ON bottom.oid = base.typbasetype",
        asked.join(", ")
    )
}
