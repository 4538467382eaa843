//! The validation that makes a plan of a request. It never stops at the first fault.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::error::{FaultCode, Rejection};
use super::faults::{Faults, quoted};
use super::limits::DEFAULT_LIMIT;
use super::plan::ReportPlan;
use super::pointer::Pointer;
use super::report_query::ReportQuery;
use super::request::{ReportRequest, Shape};
use super::{filter, order, range, select};
use crate::caller::{Caller, OrgId};
use crate::catalog::{Catalog, Dataset};
use crate::encode::{FileFormat, Format};
use crate::source::stored_types::StoredTypes;
use crate::spec::ReportSpec;

impl Catalog {
    /// Validates a request for a caller.
    ///
    /// # Errors
    /// [`Rejection::Invalid`] with every fault of the request, or [`Rejection::Forbidden`] when the
    /// dataset exists and the caller may not use it.
    pub fn plan(&self, request: &ReportRequest, caller: &Caller) -> Result<ReportPlan, Rejection> {
        let mut faults = Faults::default();
        for at in &request.repeated {
            faults.add(at, FaultCode::InvalidRequest, "stands more than once");
        }
        let (query, at, format) = match request.shape {
            Shape::Query => (Some(&request.body), Pointer::root(), Format::Json.into()),
            Shape::Export => {
                let (query, format) = export_body(&request.body, &mut faults);
                (query, Pointer::root().member("query"), format)
            }
        };
        let plan = query.and_then(|query| {
            let validation = Validation {
                catalog: self,
                caller,
                format,
                exports: request.shape == Shape::Export,
            };
            validation.query(query, &at, &mut faults)
        });
        match plan {
            // Which dataset is meant may depend on who reads a member that stands twice.
            Some(Err(rejection)) if request.repeated.is_empty() => Err(rejection),
            Some(Ok(plan)) if faults.count() == 0 => Ok(plan),
            _ => Err(faults.rejection()),
        }
    }

    /// Makes a plan of what was accepted before, against the catalog of today. Whether its caller may use the
    /// dataset was settled then.
    ///
    /// # Errors
    /// [`Rejection::Invalid`] with everything that the catalog does not have any more.
    pub fn plan_spec(&self, spec: &ReportSpec, org: &OrgId) -> Result<ReportPlan, Rejection> {
        let mut faults = Faults::default();
        let plan = self.resolve(spec, org, &mut faults);
        match plan {
            Some(plan) if faults.count() == 0 => Ok(plan),
            _ => Err(faults.rejection()),
        }
    }

    fn resolve(&self, spec: &ReportSpec, org: &OrgId, faults: &mut Faults) -> Option<ReportPlan> {
        let (query, at) = (&spec.query, Pointer::root().member("query"));
        let dataset = self.named(&query.dataset, &at.member("dataset"), faults)?;
        range::check_length(query.time_range, dataset, &at.member("time_range"), faults);
        let columns = query.dimensions.len() + query.measures.len();
        select::check_number(columns, self.max_columns(), &at, faults);
        select::check_not_empty(query.dimensions.len(), dataset, &at, faults);
        let placed = |member: &str, names: &[String]| -> Vec<(Pointer, String)> {
            let at = at.member(member);
            let names = names.iter().enumerate();
            names
                .map(|(index, name)| (at.index(index), name.clone()))
                .collect()
        };
        let dimensions = placed("dimensions", &query.dimensions);
        let measures = placed("measures", &query.measures);
        let sound_so_far = faults.count();
        let selection = select::select(dataset, &dimensions, &measures, faults);
        let is_sound = faults.count() == sound_so_far;
        let predicates = filter::predicates(&query.filters, &at, dataset, faults);
        let order_at = at.member("order_by");
        let order_by = query.order_by.iter().enumerate();
        let order_by: Vec<_> = order_by
            .map(|(index, entry)| (order_at.index(index), entry.clone()))
            .collect();
        let keys = order::sort_keys(&order_by, &selection.columns, is_sound, faults);
        Some(ReportPlan {
            spec: spec.clone(),
            org: org.clone(),
            dataset: Arc::clone(dataset),
            order: order::total_order(keys, dataset.grain, &selection.columns),
            columns: selection.columns,
            expressions: selection.expressions,
            predicates,
            stored_types: StoredTypes::default(),
        })
    }

    fn named(&self, name: &str, at: &Pointer, faults: &mut Faults) -> Option<&Arc<Dataset>> {
        let dataset = self.dataset(name);
        if dataset.is_none() {
            let detail = format!(
                "there is no dataset {}; the catalog lists them",
                quoted(name)
            );
            faults.add(at, FaultCode::UnknownDataset, detail);
        }
        dataset
    }
}

struct Validation<'a> {
    catalog: &'a Catalog,
    caller: &'a Caller,
    format: FileFormat,
    exports: bool,
}

impl Validation<'_> {
    /// `None` when faults were found that leave nothing to plan; other faults are in `faults` beside
    /// a plan that must not be used.
    fn query(
        self,
        query: &Value,
        at: &Pointer,
        faults: &mut Faults,
    ) -> Option<Result<ReportPlan, Rejection>> {
        const MEMBERS: [&str; 7] = [
            "dataset",
            "time_range",
            "dimensions",
            "measures",
            "filters",
            "order_by",
            "limit",
        ];
        let members = faults.object(query, at, &MEMBERS)?;
        let dataset = self.dataset(members, at, faults);
        if let Some(dataset) = &dataset
            && !dataset.allows(self.caller)
        {
            return Some(Err(Rejection::Forbidden {
                dataset: dataset.name.clone(),
            }));
        }
        let described = dataset.map(AsRef::as_ref);

        let time_range = range::time_range(members, at, described, faults);
        let sound_so_far = faults.count();
        let most = self.catalog.max_columns();
        let dimensions = select::names(members, "dimensions", at, most, faults);
        let measures = select::names(members, "measures", at, most, faults);
        select::check_number(dimensions.len() + measures.len(), most, at, faults);
        let mut selection_is_sound = faults.count() == sound_so_far;
        let limit = self.limit(members, at, faults);
        let mut selection = select::Selection::default();
        if let Some(dataset) = described {
            if selection_is_sound {
                select::check_not_empty(dimensions.len(), dataset, at, faults);
            }
            let sound_so_far = faults.count();
            selection = select::select(dataset, &dimensions, &measures, faults);
            selection_is_sound &= faults.count() == sound_so_far;
        }
        let (filters, predicates) = filter::filters(members, at, described, faults);
        let order_by = order::order_by(members, at, most, faults);
        let order = described.map(|dataset| {
            let columns = &selection.columns;
            let keys = order::sort_keys(&order_by, columns, selection_is_sound, faults);
            order::total_order(keys, dataset.grain, columns)
        });

        let query = ReportQuery {
            dataset: dataset?.name.clone(),
            time_range: time_range?,
            dimensions: dimensions.into_iter().map(|(_, name)| name).collect(),
            measures: measures.into_iter().map(|(_, name)| name).collect(),
            filters,
            order_by: order_by.into_iter().map(|(_, entry)| entry).collect(),
            limit: limit?,
        };
        Some(Ok(ReportPlan {
            dataset: Arc::clone(dataset?),
            spec: ReportSpec::new(query, self.format),
            org: self.caller.org.clone(),
            columns: selection.columns,
            expressions: selection.expressions,
            predicates,
            order: order?,
            stored_types: StoredTypes::default(),
        }))
    }

    fn dataset(
        &self,
        members: &Map<String, Value>,
        at: &Pointer,
        faults: &mut Faults,
    ) -> Option<&Arc<Dataset>> {
        let at = at.member("dataset");
        match members.get("dataset") {
            Some(Value::String(name)) => self.catalog.named(name, &at, faults),
            Some(_) => faults.wrong(&at, "expected the name of a dataset"),
            None => faults.wrong(&at, "required: the name of a dataset"),
        }
    }

    fn limit(
        &self,
        members: &Map<String, Value>,
        at: &Pointer,
        faults: &mut Faults,
    ) -> Option<Option<u64>> {
        let at = at.member("limit");
        match members.get("limit") {
            None => Some(Some(DEFAULT_LIMIT)),
            Some(Value::Null) if self.exports => Some(None),
            Some(value) => {
                let rows = value
                    .as_u64()
                    .filter(|rows| (0..=i64::MAX as u64).contains(rows));
                if rows.is_none() {
                    let expected = if self.exports {
                        "expected a whole number of rows, 0 or more, or null for every row"
                    } else {
                        "expected a whole number of rows, 0 or more"
                    };
                    faults.add(&at, FaultCode::InvalidLimit, expected);
                }
                rows.map(Some)
            }
        }
    }
}

/// Looks into the wrapper of a query: the query itself, if there is one, and what to write it as.
fn export_body<'a>(body: &'a Value, faults: &mut Faults) -> (Option<&'a Value>, FileFormat) {
    let root = Pointer::root();
    let Some(members) = faults.object(body, &root, &["query", "format", "options"]) else {
        return (None, Format::default().into());
    };
    let format = match members.get("format") {
        None => Format::default(),
        Some(value) => {
            let format = value.as_str().and_then(Format::from_name);
            if format.is_none() {
                let known: Vec<&str> = Format::ALL.iter().map(|known| known.name()).collect();
                let detail = format!("expected one of {}", known.join(" "));
                faults.add(&root.member("format"), FaultCode::UnsupportedFormat, detail);
            }
            format.unwrap_or_default()
        }
    };
    let format = file_format(format, members.get("options"), faults);
    let query = members
        .get("query")
        .or_else(|| faults.wrong(&root.member("query"), "required: the query"));
    (query, format)
}

fn file_format(format: Format, options: Option<&Value>, faults: &mut Faults) -> FileFormat {
    let at = Pointer::root().member("options");
    let parsed = match options.map(Value::as_object) {
        None => None,
        Some(None) => faults.wrong(&at, "expected an object"),
        Some(Some(options)) => match FileFormat::parse(format, options) {
            Ok(format) => Some(format),
            Err(found) => {
                for fault in found {
                    let at = at.member(&fault.name);
                    faults.add(&at, FaultCode::InvalidOption, fault.detail);
                }
                None
            }
        },
    };
    parsed.unwrap_or_else(|| format.into())
}
