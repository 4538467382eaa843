//! Whether the catalog fits its sources: every use of a field is prepared, nothing is run.

mod types;

use self::types::{TypeFinding, type_findings};
use super::{Catalog, CatalogFault, CatalogFaults, Dataset, Relation};
use crate::column::ColumnKind;
use crate::source::{Index, Source, SourceError, Sources};
use crate::statement::{Probe, TypedUse, probes, tenant_expression};
use crate::stored::StoredTypes;

/// What a look at the sources found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// What would fail; `None` when nothing would.
    pub faults: Option<CatalogFaults>,
    /// What works and will be slow, by line; in the form of a fault each.
    pub warnings: Vec<CatalogFault>,
}

impl Catalog {
    /// Holds every expression against its source, and looks for the indexes that reports need.
    ///
    /// # Errors
    /// [`SourceError::Unavailable`] and the like, when a source cannot be asked.
    pub async fn check(&self, sources: &Sources) -> Result<Findings, SourceError> {
        let (mut faults, mut warnings) = (Vec::new(), Vec::new());
        for dataset in self.datasets() {
            let source = sources
                .get(&dataset.source)
                .ok_or_else(|| SourceError::NotConfigured(dataset.source.clone()))?;
            let types = types_of(dataset, source.as_ref()).await?;
            let (amiss, doubtful): (Vec<TypeFinding>, _) = type_findings(dataset, &types)
                .into_iter()
                .partition(|finding| !finding.is_warning);
            let as_fault =
                |finding: TypeFinding| self.fault(dataset, &finding.setting, finding.message);
            let mut found: Vec<CatalogFault> = Vec::new();
            for fault in amiss.into_iter().map(as_fault) {
                add(&mut found, fault);
            }
            for fault in self.faults_of(dataset, source.as_ref(), &types).await? {
                add(&mut found, fault);
            }
            if found.is_empty() {
                let mut noted: Vec<CatalogFault> = Vec::new();
                for warning in doubtful.into_iter().map(as_fault) {
                    add(&mut noted, warning);
                }
                warnings.extend(noted);
                warnings.extend(self.warnings_of(dataset, source.as_ref()).await?);
            }
            faults.extend(found);
        }
        warnings.sort_by_key(|warning| warning.line);
        Ok(Findings {
            faults: CatalogFaults::from_found(faults),
            warnings,
        })
    }

    async fn faults_of(
        &self,
        dataset: &Dataset,
        source: &dyn Source,
        types: &StoredTypes,
    ) -> Result<Vec<CatalogFault>, SourceError> {
        let mut faults: Vec<CatalogFault> = Vec::new();
        for Probe { setting, sql } in probes(dataset, source.dialect(), types) {
            let message = match source.prepare(&sql).await {
                Ok(()) => continue,
                Err(SourceError::Refused(message)) => message,
                Err(error) => return Err(error),
            };
            add(&mut faults, self.fault(dataset, &setting, message));
            if matches!(setting.as_str(), "table" | "sql") {
                // Every field would repeat it.
                break;
            }
        }
        Ok(faults)
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
            let column = expression
                .and_then(|expression| plain_column(expression.for_dialect(source.dialect())));
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
        .map(|(field, kind)| (field.expression.for_dialect(dialect), kind))
        .chain(
            tenant
                .as_deref()
                .map(|tenant| (tenant, ColumnKind::Dimension)),
        )
        .collect();
    let relation = &dataset.relation;
    match source.stored_types(relation, &expressions).await {
        Err(SourceError::Refused(_)) => {}
        answer => return answer,
    }
    let mut types = StoredTypes::default();
    for expression in expressions {
        match source.stored_types(relation, &[expression]).await {
            Ok(known) => types.extend(known),
            Err(SourceError::Refused(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(types)
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
