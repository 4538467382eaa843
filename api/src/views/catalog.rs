//! The catalog as clients see it: the datasets that a caller may use.

use serde::Serialize;
use utoipa::ToSchema;
use waybill_report::caller::Caller;
use waybill_report::catalog::{Catalog, Dataset, Field, Grain};
use waybill_report::column::ColumnType;
use waybill_report::query::FilterOp;

/// What the caller may ask for.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReportCatalog {
    /// Sorted by name.
    datasets: Vec<CatalogDataset>,
}

/// Something that can be reported on.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CatalogDataset {
    name: String,
    /// What can be grouped by (`grain: aggregate`) or copied (`grain: row`).
    dimensions: Vec<String>,
    /// What can be computed.
    measures: Vec<String>,
    /// What can be filtered on.
    filter_fields: Vec<String>,
    #[schema(required = true)]
    description: Option<String>,
    grain: Grain,
    /// The longest `time_range`; null = any.
    #[schema(required = true)]
    max_range_days: Option<u32>,
    /// The columns in detail: dimensions, measures, then fields that can only be filtered on.
    fields: Vec<CatalogField>,
}

/// A column of a dataset.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CatalogField {
    name: String,
    #[serde(rename = "type")]
    column_type: ColumnType,
    role: FieldRole,
    #[schema(required = true)]
    description: Option<String>,
    /// With which operators it can be filtered on; empty = it cannot.
    ops: Vec<FilterOp>,
}

/// What a column is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum FieldRole {
    /// Can be selected in `dimensions`, and filtered on if it has operators.
    Dimension,
    /// Can be selected in `measures`.
    Measure,
    /// Can only be filtered on.
    Filter,
}

impl ReportCatalog {
    /// Shows of all datasets those that the caller may use.
    pub(crate) fn of(catalog: &Catalog, caller: &Caller) -> Self {
        let allowed = catalog.datasets().filter(|dataset| dataset.allows(caller));
        Self {
            datasets: allowed.map(CatalogDataset::of).collect(),
        }
    }
}

impl CatalogDataset {
    fn of(dataset: &Dataset) -> Self {
        let names = |fields: &[Field]| fields.iter().map(|field| field.name.clone()).collect();
        let dimensions = dataset.dimensions.iter().map(|field| {
            let filter = dataset
                .filter(&field.name)
                .filter(|filter| same(field, filter));
            CatalogField::of(field, FieldRole::Dimension, filter.is_some())
        });
        let measures = dataset
            .measures
            .iter()
            .map(|field| CatalogField::of(field, FieldRole::Measure, false));
        let filters = dataset
            .filters
            .iter()
            .filter(|filter| {
                !dataset
                    .dimension(&filter.name)
                    .is_some_and(|field| same(field, filter))
            })
            .map(|field| CatalogField::of(field, FieldRole::Filter, true));
        Self {
            name: dataset.name.clone(),
            dimensions: names(&dataset.dimensions),
            measures: names(&dataset.measures),
            filter_fields: names(&dataset.filters),
            description: dataset.description.clone(),
            grain: dataset.grain,
            max_range_days: dataset.max_range_days,
            fields: dimensions.chain(measures).chain(filters).collect(),
        }
    }
}

/// Returns whether a dimension and a filter are one thing to a client.
fn same(dimension: &Field, filter: &Field) -> bool {
    dimension.name == filter.name && dimension.column_type == filter.column_type
}

impl CatalogField {
    fn of(field: &Field, role: FieldRole, can_be_filtered_on: bool) -> Self {
        let ops = if can_be_filtered_on {
            FilterOp::for_type(field.column_type)
        } else {
            &[]
        };
        Self {
            name: field.name.clone(),
            column_type: field.column_type,
            role,
            description: field.description.clone(),
            ops: ops.to_vec(),
        }
    }
}
