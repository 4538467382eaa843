#!/usr/bin/env bash
# Builds the executable and passes every test of the workspace: unit tests, property tests, and the
# end-to-end tests that drive the executable. Arguments go to `cargo test`.
#
#   tests/run.sh                  every test
#   tests/run.sh --soak MINUTES   random faults for so long instead
#
# What is tried at random is bounded so that nobody waits for it; PROPTEST_CASES=20000 tries more. Cases
# that failed once are kept in the proptest-regressions folders and tried first.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf 'tests/run.sh: %s\n' "$*" >&2; }

stage() { # NAME COMMAND…
    local name=$1 began=$SECONDS
    shift
    "$@"
    say "$name took $((SECONDS - began)) s"
}

. .ci/toolchain
if ! command -v cargo >/dev/null; then
    say "no Rust toolchain found; install one from https://rustup.rs and run this again"
    exit 1
fi

# Installs Debian packages where that is possible, or says which to install.
need() { # WHAT PACKAGE
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        say "$1 is missing; installing $2"
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$2" >/dev/null
    else
        say "$1 is missing; install it (Debian, Ubuntu: apt-get install $2) and run this again"
        exit 1
    fi
}

# The embedded SQLite and ring are C.
command -v cc >/dev/null || need "a C compiler" build-essential

# The tests start throw-away clusters of it; a server that runs already is left alone.
have_postgres() {
    command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1
}
have_postgres || need "PostgreSQL's server" postgresql

# The blocks of the documents and the examples are run as they stand.
for tool in curl jq python3 sqlite3; do
    command -v "$tool" >/dev/null || need "$tool" "$tool"
done
command -v node >/dev/null || need "Node" nodejs

# Some tests put it between the service and a database.
{ [ -x /usr/sbin/pgbouncer ] || command -v pgbouncer >/dev/null; } || need "PgBouncer" pgbouncer

# With the features of the whole workspace, so that the tests below find it built.
stage 'building the executable' cargo build --workspace --locked
target=$(cargo metadata --format-version 1 --no-deps --locked |
    sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')
export WAYBILL_EXE="$target/debug/waybill"

if [ "${1:-}" = --soak ]; then
    export WAYBILL_SOAK_MINUTES="${2:?for how many minutes}"
    exec cargo test --workspace --locked --test distributed -- --ignored --exact --nocapture \
        faults::soak::random_faults_lose_nothing_and_leave_nothing
fi
stage 'building the tests' cargo test --workspace --locked --no-run
stage 'the tests' cargo test --workspace --locked "$@"
