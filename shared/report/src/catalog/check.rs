//! Whether the catalog fits its sources: every use of a field is prepared. Nothing is run, unless rows without a time
//! are to be counted.

mod types;

use std::collections::HashMap;

use futures::{StreamExt as _, TryStreamExt as _, stream};

use self::types::{TypeFinding, type_findings};
use super::{Catalog, CatalogFault, CatalogFaults, Dataset, Relation};
use crate::column::ColumnKind;
use crate::source::statement::{Probe, TypedUse, probes, rows_without_time, tenant_expression};
use crate::source::stored_types::StoredTypes;
use crate::source::{Index, Prepared, Source, SourceError, Sources};

/// Datasets that are looked at at a time: a far source takes long to answer, and one that waits for a
/// locked table holds up no other. They may share one connection, for which no one waits long.
const AT_ONCE: usize = 4;

/// What a look at the sources found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// What would fail; `None` when nothing would.
    pub faults: Option<CatalogFaults>,
    /// What works and will be slow, by line; in the form of a fault each.
    pub warnings: Vec<CatalogFault>,
    /// Datasets of which nobody could tell, because somebody holds a lock on a table of theirs; in the
    /// form of a fault each, by line.
    pub locked: Vec<CatalogFault>,
}

/// The same of one dataset.
#[derive(Default)]
struct Found {
    faults: Vec<CatalogFault>,
    warnings: Vec<CatalogFault>,
    locked: Option<CatalogFault>,
}

impl Found {
    /// Whether there is no more to look for.
    fn ends(&self) -> bool {
        self.locked.is_some() || !self.faults.is_empty()
    }
}

impl Catalog {
    /// Holds every expression against its source, and looks for the indexes that reports need.
    ///
    /// # Errors
    /// [`SourceError::Unavailable`] and the like, when a source cannot be asked.
    pub async fn check(&self, sources: &Sources) -> Result<Findings, SourceError> {
        self.check_some(sources, |_| true).await
    }

    /// Looks again at the datasets that could not be told of; see [`Findings::locked`].
    ///
    /// # Errors
    /// As [`Catalog::check`].
    pub async fn check_locked(
        &self,
        sources: &Sources,
        before: &Findings,
    ) -> Result<Findings, SourceError> {
        let was_locked = |dataset: &Dataset| {
            let relation = self.fault(dataset, relation(dataset), String::new());
            let mut locked = before.locked.iter();
            locked.any(|fault| fault.setting == relation.setting)
        };
        self.check_some(sources, was_locked).await
    }

    async fn check_some(
        &self,
        sources: &Sources,
        is_meant: impl Fn(&Dataset) -> bool,
    ) -> Result<Findings, SourceError> {
        let datasets = self.datasets().filter(|dataset| is_meant(dataset));
        let mut looks = Vec::new();
        for dataset in datasets {
            looks.push(self.look_at(dataset, sources));
        }
        let looks: Vec<Found> = stream::iter(looks).buffered(AT_ONCE).try_collect().await?;
        let mut faults = Vec::new();
        let mut findings = Findings::default();
        for found in looks {
            faults.extend(found.faults);
            findings.warnings.extend(found.warnings);
            findings.locked.extend(found.locked);
        }
        findings.faults = CatalogFaults::from_found(faults);
        findings.warnings.sort_by_key(|warning| warning.line);
        findings.locked.sort_by_key(|locked| locked.line);
        Ok(findings)
    }

    async fn look_at(&self, dataset: &Dataset, sources: &Sources) -> Result<Found, SourceError> {
        let source = sources
            .get(&dataset.source)
            .ok_or_else(|| SourceError::NotConfigured(dataset.source.clone()))?;
        let source = source.as_ref();
        let mut found = Found::default();
        // Without its relation every field would be wrong.
        let unknown = StoredTypes::default();
        let first = probes(dataset, source.dialect(), &unknown)
            .into_iter()
            .take(1);
        self.probe(dataset, source, first, &mut found).await?;
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
            add(&mut found.faults, self.fault(dataset, &setting, message));
        }
        let fields = probes(dataset, source.dialect(), &types).into_iter();
        self.probe(dataset, source, fields.skip(1), &mut found)
            .await?;
        if found.ends() {
            return Ok(found);
        }
        for TypeFinding {
            setting, message, ..
        } in doubtful
        {
            add(&mut found.warnings, self.fault(dataset, &setting, message));
        }
        found
            .warnings
            .extend(self.warnings_of(dataset, source).await?);
        Ok(found)
    }

    async fn probe(
        &self,
        dataset: &Dataset,
        source: &dyn Source,
        probes: impl Iterator<Item = Probe> + Send,
        found: &mut Found,
    ) -> Result<(), SourceError> {
        let (settings, statements): (Vec<String>, Vec<String>) =
            probes.map(|probe| (probe.setting, probe.sql)).unzip();
        let prepared = source.prepare(&statements).await?;
        for (setting, prepared) in settings.iter().zip(prepared) {
            match prepared {
                Prepared::Accepted => {}
                Prepared::Refused(why) => add(&mut found.faults, self.fault(dataset, setting, why)),
                Prepared::Locked => {
                    let why = "somebody has locked a table that it reads".to_owned();
                    found.locked = Some(self.fault(dataset, relation(dataset), why));
                    break;
                }
            }
        }
        Ok(())
    }

    async fn warnings_of(
        &self,
        dataset: &Dataset,
        source: &dyn Source,
    ) -> Result<Vec<CatalogFault>, SourceError> {
        let Relation::Table(table) = &dataset.relation else {
            return Ok(Vec::new());
        };
        let Some(indexes) = source.indexes(table).await? else {
            return Ok(Vec::new());
        };
        let mut warnings = Vec::new();
        let uses = [
            (
                "time",
                Some(&dataset.time),
                "every report reads the whole table",
            ),
            (
                "updated",
                dataset.updated.as_ref(),
                "reports may have to do without their freshness",
            ),
        ];
        for (setting, expression, consequence) in uses {
            let column =
                expression.and_then(|expression| plain_column(source.dialect().text(expression)));
            let Some(column) = column else {
                continue;
            };
            let needed: Vec<&str> = dataset
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
                warnings.push(self.fault(dataset, setting, message));
            }
        }
        Ok(warnings)
    }

    /// Counts the rows that have no time and so are in no report, for each dataset that has any: in the
    /// form of a fault each. It reads whole tables.
    ///
    /// # Errors
    /// [`SourceError`], of the first dataset whose rows cannot be counted.
    pub async fn without_time(&self, sources: &Sources) -> Result<Vec<CatalogFault>, SourceError> {
        // Datasets of one table share one count.
        let mut counts: HashMap<(&str, String), u64> = HashMap::new();
        let mut found = Vec::new();
        for dataset in self.datasets() {
            let source = sources
                .get(&dataset.source)
                .ok_or_else(|| SourceError::NotConfigured(dataset.source.clone()))?;
            let sql = rows_without_time(dataset, source.dialect());
            let counted = (dataset.source.as_str(), sql);
            let rows = match counts.get(&counted) {
                Some(rows) => *rows,
                None => source.count(&counted.1).await?,
            };
            counts.insert(counted, rows);
            if rows > 0 {
                let message = format!("rows without a time, which are in no report: {rows}");
                found.push(self.fault(dataset, "time", message));
            }
        }
        found.sort_by_key(|fault| fault.line);
        Ok(found)
    }

    fn fault(&self, dataset: &Dataset, setting: &str, message: String) -> CatalogFault {
        let mut path = format!("datasets.{}.{setting}", dataset.name);
        if let Some(field) = setting.strip_prefix("filters.")
            && !self.lines.contains_key(&path)
        {
            // It is a dimension over again, and that is where its text stands.
            path = format!("datasets.{}.dimensions.{field}", dataset.name);
        }
        CatalogFault {
            line: self.line_of(&path),
            setting: path,
            message,
        }
    }

    /// The line of a setting or, where it has none of its own, of the nearest table around it.
    fn line_of(&self, setting: &str) -> usize {
        let mut path = setting;
        loop {
            if let Some(line) = self.lines.get(path) {
                return *line;
            }
            match path.rsplit_once('.') {
                Some((parent, _)) => path = parent,
                None => return 1,
            }
        }
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

/// The setting that says where rows come from.
fn relation(dataset: &Dataset) -> &'static str {
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
