//! What one claim costs PostgreSQL, by the number of exports that wait: the statement that the worker was
//! seen to send, run again and again by `EXPLAIN (ANALYZE)`. It claims for real.

use std::fs;

use anyhow::Context as _;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _, Row as _};

use crate::dataset;
use crate::deployment::Deployment;
use crate::figure::{Figure, Unit};
use crate::fixture::Fixture;
use crate::progress;

/// Exports that wait.
const FEW: u64 = 100;
const MANY: u64 = 100_000;
/// Organisations that have as many of them each.
const ORGS: u64 = 50;
const CLAIMS: usize = 50;

/// How the figures are to be read.
pub(crate) const EXPLAINED: &str = "claims: Execution Time of EXPLAIN (ANALYZE) of the very statement that a worker \
    sent, 50 of them one after the other, each committed, with the exports of 50 organisations in the queue";

/// Fills the queue with copies of the export $1, as many as $2, in the turns of $3 organisations.
const FILL: &str = "
INSERT INTO waybill.exports
    (id, org_id, status, dataset, query, format, filename, max_attempts, created_at, run_after, turn)
SELECT 'export_' || lpad(to_hex(n), 32, '0'), 'org_' || n % $3, 'queued',
       dataset, query, format, filename, max_attempts, now(), now(), n / $3
FROM waybill.exports, generate_series(0, $2 - 1) AS n
WHERE id = $1";

pub(crate) async fn measure(fixture: &Fixture<'_>) -> anyhow::Result<[Figure; 2]> {
    let few = claims(fixture, FEW).await?;
    let many = claims(fixture, MANY).await?.against(Some(&few));
    progress::line(format_args!(
        "a claim takes {:.0} µs with {FEW} exports queued, {:.0} µs with {MANY}",
        few.median, many.median
    ));
    Ok([few, many])
}

async fn claims(fixture: &Fixture<'_>, queued: u64) -> anyhow::Result<Figure> {
    let mut deployment = Deployment::start(fixture, &fixture.discarding).await?;
    let outcome = claim(fixture, &mut deployment, queued).await;
    let times = deployment.explain(outcome)?;
    let what = format!("a claim with {queued} exports queued");
    Ok(Figure::new(what, Unit::Microseconds, times))
}

/// The times of [`CLAIMS`] claims, in microseconds.
async fn claim(
    fixture: &Fixture<'_>,
    deployment: &mut Deployment<'_>,
    queued: u64,
) -> anyhow::Result<Vec<f64>> {
    let ledger = deployment.ledger();
    let name = ledger.name().to_owned();
    ledger.psql(&format!("ALTER DATABASE {name} SET log_statement = 'all'"));
    deployment.start_worker()?;
    let pattern = deployment.api.enqueue(&dataset::paced_request(0)).await?.id;
    deployment.api.completed(&pattern).await?;
    let statement = Logged::of(&fs::read_to_string(fixture.cluster.log())?)?;
    deployment.end_worker();

    let ledger = deployment.ledger();
    ledger.psql(&format!("ALTER DATABASE {name} RESET log_statement"));
    let mut connection = PgConnection::connect(&ledger.url()).await?;
    // Nobody is to be told of each of these.
    execute(&mut connection, "SET session_replication_role = replica").await?;
    sqlx::query(FILL)
        .bind(&pattern)
        .bind(i64::try_from(queued)?)
        .bind(i64::try_from(ORGS)?)
        .execute(&mut connection)
        .await?;
    execute(&mut connection, "SET session_replication_role = origin").await?;
    execute(&mut connection, "VACUUM (ANALYZE) waybill.exports").await?;

    execute(
        &mut connection,
        &format!("PREPARE claim AS {}", statement.sql),
    )
    .await?;
    let explain = format!("EXPLAIN (ANALYZE) EXECUTE claim({})", statement.parameters);
    let mut times = Vec::new();
    for _ in 0..CLAIMS {
        let plan = sqlx::raw_sql(AssertSqlSafe(explain.as_str()))
            .fetch_all(&mut connection)
            .await?;
        let lines = plan.iter().map(|line| line.try_get::<String, _>(0));
        let plan = lines.collect::<Result<Vec<_>, _>>()?.join("\n");
        let time = plan.split("Execution Time: ").nth(1);
        let milliseconds: f64 = time
            .and_then(|time| time.split_whitespace().next()?.parse().ok())
            .with_context(|| format!("no time in {plan}"))?;
        times.push(milliseconds * 1_000.0);
    }
    let left = deployment.exports_of("queued")?;
    let expected = queued.saturating_sub(CLAIMS as u64);
    anyhow::ensure!(
        left == expected,
        "{left} exports are queued, not {expected}"
    );
    Ok(times)
}

async fn execute(connection: &mut PgConnection, sql: &str) -> anyhow::Result<()> {
    sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(connection)
        .await?;
    Ok(())
}

/// A claim as PostgreSQL logged it.
#[derive(Debug, PartialEq, Eq)]
struct Logged {
    sql: String,
    /// Literals, separated by commas.
    parameters: String,
}

impl Logged {
    /// The last claim in a log.
    fn of(log: &str) -> anyhow::Result<Self> {
        let claim = log
            .rfind("SET status = 'running'")
            .context("no claim was logged")?;
        let start = log[..claim]
            .rfind("LOG:  execute ")
            .context("no execution was logged")?;
        let entry = &log[start + "LOG:  execute ".len()..];
        let (_, entry) = entry.split_once(": ").context("no statement was logged")?;
        // The lines of a statement after its first are indented in the log.
        let end = entry.match_indices('\n').map(|(end, _)| end);
        let end = end
            .into_iter()
            .find(|end| !entry[end + 1..].starts_with('\t'));
        let (sql, rest) = entry.split_at(end.unwrap_or(entry.len()));
        let detail = rest.trim_start().lines().next().unwrap_or_default();
        let parameters = detail
            .split_once("parameters: ")
            .map_or("", |(_, listed)| listed);
        let literals = parameters
            .split(", $")
            .filter_map(|parameter| Some(parameter.split_once(" = ")?.1));
        Ok(Self {
            sql: sql.trim().replace("\n\t", "\n"),
            parameters: literals.collect::<Vec<_>>().join(", "),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_read_from_a_log() {
        let log = "\
2026-11-24 15:00:00.000 UTC [7] LOG:  execute sqlx_s_1: \n\tUPDATE exports\n\tSET status = 'running'\n\tWHERE x = $1 AND y = $2
2026-11-24 15:00:00.001 UTC [7] DETAIL:  parameters: $1 = '30', $2 = 't'
2026-11-24 15:00:00.002 UTC [7] LOG:  execute sqlx_s_2: SELECT 1\n";
        let logged = Logged::of(log).expect("a claim");
        assert_eq!(
            logged,
            Logged {
                sql: "UPDATE exports\nSET status = 'running'\nWHERE x = $1 AND y = $2".to_owned(),
                parameters: "'30', 't'".to_owned(),
            }
        );
        assert!(Logged::of("LOG:  execute a: SELECT 1").is_err());
    }
}
