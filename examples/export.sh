#!/usr/bin/env bash
# The whole flow with curl and jq: what may be asked, a small report, a job and its file, a cancelled job, an error.
#
#   WAYBILL_URL=http://localhost:8080 WAYBILL_KEY=waybill_… examples/export.sh
set -euo pipefail

url=${WAYBILL_URL:-http://localhost:8080}
reports=$url/v1/reports/query/export
month='"time_range": {"from": "2026-04-24T00:00:00Z", "to": "2026-05-24T00:00:00Z"}'
answer=$(mktemp)
trap 'rm -f "$answer"' EXIT

# ask METHOD URL [OPTION…] prints the body of the answer. It comes back when it is told to (429, 503);
# any other problem is printed to standard error.
ask() {
    local method=$1 to=$2 status
    shift 2
    while true; do
        : >"$answer"
        status=$(curl -sS --max-time 60 -X "$method" "$to" -o "$answer" -w '%{http_code}' \
            ${WAYBILL_KEY:+-H "authorization: Bearer $WAYBILL_KEY"} -H 'content-type: application/json' "$@") || return
        case $status in
        2??) cat "$answer" && return ;;
        429 | 503) sleep "$(jq '.retry_after_seconds // 5' "$answer")" ;;
        *) jq -r '"\(.status) \(.code)", (.errors[]? | "  \(.pointer) \(.code)")' "$answer" >&2 && return 1 ;;
        esac
    done
}

echo "datasets: $(ask GET "$url/v1/reports/catalog" | jq -r '[.datasets[].name] | join(", ")')"

# Small: the file is in the answer. (What takes too long is answered with a job as well: then there is no content.)
report=$(ask POST "$reports" -d '{"query": {"dataset": "sessions", "dimensions": ["status"], "measures": ["session_count"],
    "order_by": [{"dimension": "status"}], '"$month"'}}')
jq -j .content <<<"$report"

# Large: a job. With the same key the same request is answered with the same job, should an answer get lost.
all='{"query": {"dataset": "session_rows", "dimensions": ["session_id", "status", "cost"], "limit": null, '"$month"'}}'
key=$(uuidgen 2>/dev/null || cat /proc/sys/kernel/random/uuid)
start() { ask POST "$reports" -H 'prefer: respond-async' -d "$all" "$@"; }
export=$(start -H "idempotency-key: $key")
again=$(start -H "idempotency-key: $key")
[ "$(jq -r .id <<<"$export")" = "$(jq -r .id <<<"$again")" ] && echo "asked twice: one job"

# Held until it has ended, for up to 30 seconds at a time.
while true; do
    export=$(ask GET "$(jq -r .self_url <<<"$export")" -H 'prefer: wait=30')
    [ "$(jq -r .retry_after_seconds <<<"$export")" = null ] && break
    sleep "$(jq .retry_after_seconds <<<"$export")"
done
jq -r '"\(.status): \(.row_count) rows", (.error // empty | "\(.code): \(.detail)")' <<<"$export"

# The link holds its own permission: no key. A file that is not whole is no file.
file=$(jq -r .filename <<<"$export")
curl -sSf "$(jq -r .download.url <<<"$export")" -o "$file"
jq -r '"\(.checksum.value)  \(.filename)"' <<<"$export" | sha256sum --check

# Another one, not wanted any more. It may have ended meanwhile, which is a 409 export_already_finished.
other=$(start -H 'cache-control: no-cache')
ask POST "$(jq -r .self_url <<<"$other")/cancel" 2>/dev/null | jq -r .status || echo "completed"
ask DELETE "$(jq -r .self_url <<<"$other")"

# Every fault of a request at once, each with its place.
ask POST "$reports" -d '{"query": {"dataset": "sessions", "dimensions": ["state"], "limit": -1, '"$month"'}}' 2>&1 || true
