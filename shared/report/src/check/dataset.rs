//! One dataset against the source that holds it.

use super::types::{TypeFinding, type_findings};
use crate::catalog::{Catalog, CatalogFault, Dataset, Relation};
use crate::column::ColumnKind;
use crate::source::statement::{Probe, TypedUse, probes, tenant_expression};
use crate::source::stored_types::StoredTypes;
use crate::source::{Index, Prepared, Source, SourceError, Sources};

/// What was found of one dataset.
#[derive(Default)]
pub(super) struct Found {
    pub(super) faults: Vec<CatalogFault>,
    pub(super) warnings: Vec<CatalogFault>,
    pub(super) locked: Option<CatalogFault>,
}

impl Found {
    /// Whether there is no more to look for.
    fn ends(&self) -> bool {
        self.locked.is_some() || !self.faults.is_empty()
    }
}

/// A dataset and where it is looked at.
struct Look<'a> {
    catalog: &'a Catalog,
    dataset: &'a Dataset,
    source: &'a dyn Source,
}

/// Prepares every use of the dataset's fields, and looks for the indexes that its reports need.
pub(super) async fn look_at(
    catalog: &Catalog,
    dataset: &Dataset,
    sources: &Sources,
) -> Result<Found, SourceError> {
    let source = sources
        .get(&dataset.source)
        .ok_or_else(|| SourceError::NotConfigured(dataset.source.clone()))?;
    let look = Look {
        catalog,
        dataset,
        source: source.as_ref(),
    };
    look.found().await
}

impl Look<'_> {
    async fn found(&self) -> Result<Found, SourceError> {
        let (dataset, source) = (self.dataset, self.source);
        let mut found = Found::default();
        // Without its relation every field would be wrong.
        let unknown = StoredTypes::default();
        let first = probes(dataset, source.dialect(), &unknown)
            .into_iter()
            .take(1);
        self.probe(first, &mut found).await?;
        if found.ends() {
            return Ok(found);
        }
        let types = types_of(dataset, source).await?;
        let dialect = source.dialect();
        let findings = match dialect.has_typed_columns() {
            true => type_findings(dataset, dialect, &types),
            false => Vec::new(),
        };
        let findings = findings.into_iter();
        let (doubtful, amiss): (Vec<TypeFinding>, _) =
            findings.partition(|finding| finding.is_warning);
        for TypeFinding {
            setting, message, ..
        } in amiss
        {
            add(&mut found.faults, self.fault(&setting, message));
        }
        let fields = probes(dataset, source.dialect(), &types).into_iter();
        self.probe(fields.skip(1), &mut found).await?;
        if found.ends() {
            return Ok(found);
        }
        for TypeFinding {
            setting, message, ..
        } in doubtful
        {
            add(&mut found.warnings, self.fault(&setting, message));
        }
        found.warnings.extend(self.warnings().await?);
        Ok(found)
    }

    async fn probe(
        &self,
        probes: impl Iterator<Item = Probe> + Send,
        found: &mut Found,
    ) -> Result<(), SourceError> {
        let (settings, statements): (Vec<String>, Vec<String>) =
            probes.map(|probe| (probe.setting, probe.sql)).unzip();
        let prepared = self.source.prepare(&statements).await?;
        for (setting, prepared) in settings.iter().zip(prepared) {
            match prepared {
                Prepared::Accepted => {}
                Prepared::Refused(why) => add(&mut found.faults, self.fault(setting, why)),
                Prepared::Locked => {
                    let why = "somebody has locked a table that it reads".to_owned();
                    found.locked = Some(self.fault(relation(self.dataset), why));
                    break;
                }
            }
        }
        Ok(())
    }

    async fn warnings(&self) -> Result<Vec<CatalogFault>, SourceError> {
        let Relation::Table(table) = &self.dataset.relation else {
            return Ok(Vec::new());
        };
        let Some(indexes) = self.source.indexes(table).await? else {
            return Ok(Vec::new());
        };
        let mut warnings = Vec::new();
        let uses = [
            (
                "time",
                Some(&self.dataset.time),
                "every report reads the whole table",
            ),
            (
                "updated",
                self.dataset.updated.as_ref(),
                "reports may have to do without their freshness",
            ),
        ];
        for (setting, expression, consequence) in uses {
            let column = expression
                .and_then(|expression| plain_column(self.source.dialect().text(expression)));
            let Some(column) = column else {
                continue;
            };
            let needed: Vec<&str> = self
                .dataset
                .tenant
                .as_deref()
                .into_iter()
                .chain([column])
                .collect();
            if !indexes.iter().any(|index| begins_with(index, &needed)) {
                let message = format!(
                    "no index begins with ({}): {consequence}",
                    needed.join(", ")
                );
                warnings.push(self.fault(setting, message));
            }
        }
        Ok(warnings)
    }

    fn fault(&self, setting: &str, message: String) -> CatalogFault {
        self.catalog.fault(self.dataset, setting, message)
    }
}

/// A setting that serves twice is wrong once.
fn add(faults: &mut Vec<CatalogFault>, fault: CatalogFault) {
    if faults.iter().all(|known| known.setting != fault.setting) {
        faults.push(fault);
    }
}

/// What the source says of a dataset's expressions. Those that it does not take are left out: the probes tell.
async fn types_of(dataset: &Dataset, source: &dyn Source) -> Result<StoredTypes, SourceError> {
    let tenant = dataset.tenant.as_deref().map(tenant_expression);
    let dialect = source.dialect();
    let fields = [
        (&dataset.dimensions, ColumnKind::Dimension),
        (&dataset.measures, ColumnKind::Measure),
        (&dataset.filters, ColumnKind::Dimension),
    ];
    let expressions: Vec<TypedUse<'_>> = fields
        .iter()
        .flat_map(|(fields, kind)| fields.iter().map(|field| (field, *kind)))
        .map(|(field, kind)| (dialect.text(&field.expression), kind))
        .chain(
            tenant
                .as_deref()
                .map(|tenant| (tenant, ColumnKind::Dimension)),
        )
        .collect();
    let mut types = StoredTypes::default();
    let mut unknown = vec![&expressions[..]];
    while let Some(expressions) = unknown.pop() {
        match source.stored_types(&dataset.relation, expressions).await {
            Ok(known) => types.extend(known),
            // One of them is refused, and all others are not.
            Err(SourceError::Refused(_)) if expressions.len() > 1 => {
                unknown.extend(<[_; 2]>::from(expressions.split_at(expressions.len() / 2)));
            }
            Err(SourceError::Refused(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(types)
}

/// Returns the setting that says where rows come from.
pub(super) fn relation(dataset: &Dataset) -> &'static str {
    match dataset.relation {
        Relation::Table(_) => "table",
        Relation::Sql(_) => "sql",
    }
}

/// The column that an expression is, if it is nothing more.
fn plain_column(sql: &str) -> Option<&str> {
    let sql = sql.trim();
    let name = sql
        .strip_prefix('"')
        .and_then(|sql| sql.strip_suffix('"'))
        .unwrap_or(sql);
    let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    (!name.is_empty() && name.chars().all(is_word)).then_some(name)
}

/// Whether an index has these columns first. Databases differ in what they make of upper and lower
/// case; two columns of one table that differ in nothing else are not worth a false alarm.
fn begins_with(index: &Index, columns: &[&str]) -> bool {
    index.len() >= columns.len()
        && index
            .iter()
            .zip(columns)
            .all(|(column, needed)| column.eq_ignore_ascii_case(needed))
}
