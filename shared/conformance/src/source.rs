//! What every source must do, whichever database it is on.

mod backend;
mod catalogs;
mod failures;
mod filters;
mod order;
pub mod properties;
mod report;
mod sizes;
mod snapshots;
mod values;

pub use self::backend::Backend;
pub use self::report::{CATALOG, SIZES, file, open, plan_of, sources};

/// Runs the suite; `fresh` makes an empty backend.
pub async fn run<B: Backend>(fresh: impl AsyncFn() -> B) {
    values::run(&fresh).await;
    filters::run(&fresh).await;
    order::run(&fresh).await;
    snapshots::run(&fresh).await;
    sizes::run(&fresh).await;
    failures::run(&fresh).await;
    catalogs::run(&fresh).await;
}
