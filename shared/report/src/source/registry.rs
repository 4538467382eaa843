//! The configured sources, and which engine is behind a URL. Above every engine.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use waybill_config::DatabaseUrl;

use super::engine::{Reading, RowEstimate, Snapshot, Source, SourceLimits};
use super::error::SourceError;
use super::postgres::PostgresSource;
use super::sqlite::SqliteSource;
use super::statement::{TypedUse, tenant_expression};
use super::stored_types::StoredTypes;
use crate::column::ColumnKind;
use crate::query::ReportPlan;
use crate::size::SizeLimits;

/// The source at a URL. Nothing is opened yet, so a database that is away is no error. A SQLite file
/// has no server that could keep the limits: there the caller's own timeouts stop a query.
///
/// # Errors
/// [`SourceError::Url`] when the URL of a server is not understood.
pub fn connect(url: &DatabaseUrl, limits: SourceLimits) -> Result<Arc<dyn Source>, SourceError> {
    match url.sqlite_path() {
        Some(file) if url.is_immutable() => Ok(Arc::new(SqliteSource::immutable(file))),
        Some(file) => Ok(Arc::new(SqliteSource::new(file))),
        None => Ok(Arc::new(PostgresSource::new(url, limits)?)),
    }
}

/// The configured sources by name.
#[derive(Clone, Default)]
pub struct Sources {
    by_name: HashMap<String, Arc<dyn Source>>,
}

impl Sources {
    /// Adds a source under the name that datasets use.
    pub fn add(&mut self, name: impl Into<String>, source: Arc<dyn Source>) {
        self.by_name.insert(name.into(), source);
    }

    /// The source of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Arc<dyn Source>> {
        self.by_name.get(name)
    }

    /// Opens a snapshot for a plan, of `most_rows` rows or fewer, none of them larger than the limits.
    ///
    /// # Errors
    /// [`SourceError`], as [`Source::open`].
    pub async fn open(
        &self,
        plan: &ReportPlan,
        most_rows: u64,
        sizes: SizeLimits,
        freshness_budget: Duration,
    ) -> Result<Snapshot, SourceError> {
        let source = self.of_plan(plan)?;
        let plan = typed(source.as_ref(), plan).await?.into_owned();
        let reading = Reading {
            plan,
            most_rows,
            limits: sizes,
            freshness_budget,
        };
        source.open(reading).await
    }

    /// How many rows a plan is expected to give, `most_rows` at most; see [`Source::estimate`] for
    /// `enough`.
    ///
    /// # Errors
    /// [`SourceError`].
    pub async fn estimate(
        &self,
        plan: &ReportPlan,
        most_rows: u64,
        enough: Option<u64>,
    ) -> Result<Option<RowEstimate>, SourceError> {
        let source = self.of_plan(plan)?;
        let plan = &*typed(source.as_ref(), plan).await?;
        source.estimate(plan, most_rows, enough).await
    }

    fn of_plan(&self, plan: &ReportPlan) -> Result<&Arc<dyn Source>, SourceError> {
        let name = &plan.dataset().source;
        self.get(name)
            .ok_or_else(|| SourceError::NotConfigured(name.clone()))
    }

    /// Every source with its name.
    pub fn by_name(&self) -> impl Iterator<Item = (&str, &Arc<dyn Source>)> {
        let sources = self.by_name.iter();
        sources.map(|(name, source)| (name.as_str(), source))
    }
}

/// The plan with the types that its source has. Of a source that refuses to tell them none are known: it will say
/// why when it is asked for the report.
async fn typed<'p>(
    source: &dyn Source,
    plan: &'p ReportPlan,
) -> Result<Cow<'p, ReportPlan>, SourceError> {
    let tenant = plan.dataset().tenant.as_deref().map(tenant_expression);
    let dialect = source.dialect();
    let columns = plan.columns().iter().zip(plan.expressions());
    let predicates = plan.predicates().iter();
    let expressions: Vec<TypedUse<'_>> = columns
        .map(|(column, expression)| (expression, column.kind))
        .chain(predicates.map(|predicate| (&predicate.expression, ColumnKind::Dimension)))
        .map(|(expression, kind)| (dialect.text(expression), kind))
        .chain(
            tenant
                .as_deref()
                .map(|tenant| (tenant, ColumnKind::Dimension)),
        )
        .collect();
    match source
        .stored_types(&plan.dataset().relation, &expressions)
        .await
    {
        Ok(types) if types == StoredTypes::default() => Ok(Cow::Borrowed(plan)),
        Ok(types) => Ok(Cow::Owned(plan.clone().with_stored_types(types))),
        Err(SourceError::Refused(reason)) => {
            tracing::debug!(reason, "the source does not tell the types of a report");
            Ok(Cow::Borrowed(plan))
        }
        Err(error) => Err(error),
    }
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.by_name.keys()).finish()
    }
}
