// The whole flow with Node 18 or later, or any runtime that has fetch, without dependencies: what may be asked, a
// small report, a job and its file, a cancelled job, an error.
//
//   WAYBILL_URL=http://localhost:8080 WAYBILL_KEY=waybill_… node examples/export.mjs

import { createHash, randomUUID } from "node:crypto";
import { createWriteStream } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

const url = process.env.WAYBILL_URL ?? "http://localhost:8080";
const reports = `${url}/v1/reports/query/export`;
const key = process.env.WAYBILL_KEY;
const month = { from: "2026-04-24T00:00:00Z", to: "2026-05-24T00:00:00Z" };

/** A problem document: what is wrong with a request, for people and programs. */
class Problem extends Error {
  constructor(document) {
    super(document.detail ?? document.title);
    this.document = document;
  }
}

/** Returns the answer's JSON. Comes back when it is told to (429, 503); throws any other problem. */
async function ask(method, to, body, more = {}) {
  const headers = { "content-type": "application/json", ...more };
  if (key) headers.authorization = `Bearer ${key}`;
  for (;;) {
    const signal = AbortSignal.timeout(60_000);
    const answer = await fetch(to, { method, headers, body: body && JSON.stringify(body), signal });
    const text = await answer.text();
    const document = text ? JSON.parse(text) : null;
    if (answer.ok) return document;
    if (answer.status !== 429 && answer.status !== 503) throw new Problem(document);
    await sleep(1000 * (document.retry_after_seconds ?? 5));
  }
}

/** Asks for every row, as a job. */
function start(headers) {
  const query = { dataset: "session_rows", dimensions: ["session_id", "status", "cost"], limit: null, time_range: month };
  return ask("POST", reports, { query }, { prefer: "respond-async", ...headers });
}

const catalog = await ask("GET", `${url}/v1/reports/catalog`);
console.log(`datasets: ${catalog.datasets.map((dataset) => dataset.name).join(", ")}`);

// Small: the file is in the answer. (What takes too long is answered with a job as well: then there is no content.)
const order_by = [{ dimension: "status" }];
const query = { dataset: "sessions", dimensions: ["status"], measures: ["session_count"], order_by, time_range: month };
process.stdout.write((await ask("POST", reports, { query })).content);

// Large: a job. With the same key the same request is answered with the same job, should an answer get lost.
const name = { "idempotency-key": randomUUID() };
let made = await start(name);
if ((await start(name)).id === made.id) console.log("asked twice: one job");

// Held until it has ended, for up to 30 seconds at a time.
for (;;) {
  made = await ask("GET", made.self_url, undefined, { prefer: "wait=30" });
  if (made.retry_after_seconds === null) break;
  await sleep(1000 * made.retry_after_seconds);
}
console.log(`${made.status}: ${made.row_count} rows`);
if (made.status !== "completed") throw new Error(JSON.stringify(made.error));

// The link holds its own permission: no key. A file that is not whole is no file.
const answer = await fetch(made.download.url);
if (!answer.ok) throw new Error(`${made.filename}: ${answer.status}`);
const digest = createHash("sha256");
const file = createWriteStream(made.filename);
for await (const part of answer.body) {
  digest.update(part);
  if (!file.write(part)) await new Promise((resolve) => file.once("drain", resolve));
}
await new Promise((resolve) => file.end(resolve));
if (digest.digest("hex") !== made.checksum.value) throw new Error(`${made.filename}: not the file that was made`);
console.log(`${made.filename}: OK`);

// Another one, not wanted any more. It may have ended meanwhile.
const other = await start({ "cache-control": "no-cache" });
try {
  console.log((await ask("POST", `${other.self_url}/cancel`)).status);
} catch (problem) {
  if (problem.document?.code !== "export_already_finished") throw problem;
  console.log("completed");
}
await ask("DELETE", other.self_url);

// Every fault of a request at once, each with its place.
try {
  await ask("POST", reports, { query: { dataset: "sessions", dimensions: ["state"], limit: -1, time_range: month } });
} catch (problem) {
  if (!problem.document) throw problem;
  console.log(problem.document.status, problem.document.code);
  for (const fault of problem.document.errors) console.log(`  ${fault.pointer} ${fault.code}`);
}
