// Runs the suite against a server: `node run.mjs URL [--filter WORD] [--quick] [--bail] [--limit SECONDS] [--json FILE] [--log FILE]`.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { NOT_OBSERVABLE } from './clauses.mjs';
import { ALWAYS, Test, cut } from './kit.mjs';

const AT_ONCE = 16;
const here = (path) => new URL(path, import.meta.url);

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { filter: { type: 'string' }, quick: { type: 'boolean' }, bail: { type: 'boolean' }, limit: { type: 'string', default: '12' }, json: { type: 'string' },
    log: { type: 'string' } },
});
const [url] = positionals;
if (!url || positionals.length > 1) {
  console.error('usage: node run.mjs ws://HOST:PORT/PATH [--filter CLAUSE or WORD] [--quick] [--bail] [--limit SECONDS] [--json FILE] [--log FILE]');
  process.exit(2);
}

const partial = values.filter !== undefined || values.quick;
const clauses = [...readFileSync(here('../../docs/PROTOCOL.md'), 'utf8').matchAll(/\*\*\[([A-Z]+-\d+)\]\*\*/g)].map(([, id]) => id);
const cases = [];
for (const file of readdirSync(here('cases/')).sort()) {
  const { default: register } = await import(here(`cases/${file}`));
  register((name, cites, run, options = {}) => cases.push({ name, cites, run, ...options }));
}
const chosen = cases.filter(({ name, cites }) => !values.filter || cites.includes(values.filter) || name.includes(values.filter));

// First those that need the clock, beside everything else; then those that want what everybody does not use; then those that want
// a server without other links, or take away from its log what others may still be waiting for; last, its end.
const results = [];
const of = (phase) => chosen.filter((one) => (one.phase ?? 'any') === phase);
const slow = values.quick ? [] : of('slow').map(attempt);
await pool(of('any'), AT_ONCE);
await pool(of('alone'), 1);
await Promise.all(slow);
await pool(of('sole'), 1);
await pool(of('last'), 1);
always();
if (values.log) logged(values.log);
report();

/** One more test, of all the others: what they saw beside what they were about. */
function always() {
  const frames = results.reduce((sum, one) => sum + one.frames, 0);
  const broken = results.flatMap(({ violations }) => violations);
  const error = broken[0]?.message ?? (frames > 0 ? null : 'no frame came');
  const failing = error && !broken.length ? ALWAYS : broken.map(({ clause }) => clause);
  results.push({ name: `every one of ${frames} frames is what it may be`, cites: ALWAYS, error, failing, ms: 0 });
}

/** One more test, of what the server has logged meanwhile: it may know everything and say nothing of it. */
function logged(file) {
  delete NOT_OBSERVABLE['SEC-4'];
  const lines = readFileSync(file, 'utf8').split('\n');
  const secrets = [...new Set(results.flatMap(({ secrets }) => secrets ?? []))];
  const found = lines.flatMap((line) => secrets.filter((secret) => line.includes(secret)).map((secret) => ({ line, secret })));
  let error = null;
  if (found.length) error = `${found.length} times, first ${JSON.stringify(found[0].secret)} in ${cut(found[0].line, 300)}`;
  else if (!lines.some((line) => line.includes('welcomed'))) error = 'there is no log to look at';
  const name = `none of ${lines.length} log lines holds one of ${secrets.length} tokens, producers and contents`;
  results.push({ name, cites: ['SEC-4'], error, failing: error ? ['SEC-4'] : [], ms: 0, frames: 0, violations: [] });
}

async function pool(list, width) {
  const left = [...list];
  await Promise.all(Array.from({ length: width }, async () => {
    for (let next; !(values.bail && results.some(({ error }) => error !== null)) && (next = left.shift()); ) await attempt(next);
  }));
}

async function attempt({ name, cites, run, limit = 1_000 * values.limit }) {
  const started = Date.now();
  const test = new Test(url, started + limit);
  let error = null;
  try {
    await run(test);
  } catch (thrown) {
    error = thrown.name === 'Error' || thrown.constructor.name === 'Failure' ? thrown.message : thrown.stack;
  }
  const [broken] = test.violations;
  if (broken) error = error ? `${broken.message}; then ${error}` : broken.message;
  test.end();
  const failing = error === null ? [] : [...cites, ...test.violations.map(({ clause }) => clause)];
  results.push({ name, cites, error, failing, ms: Date.now() - started, frames: test.frames, violations: test.violations, secrets: test.secrets });
  if (error !== null) console.log(`✗ ${name} [${cites.join(', ')}]\n    ${cut(error, 900)}`);
}

function report() {
  const standing = new Map(clauses.map((id) => [id, { state: 'no test', tests: [] }]));
  const strangers = [];
  for (const { name, cites, failing } of results) {
    for (const id of new Set([...cites, ...failing])) {
      const clause = standing.get(id);
      if (!clause) strangers.push(`${id}, cited by ${name}, is no clause`);
      else {
        clause.tests.push(name);
        if (failing.includes(id)) clause.state = 'failed';
        else if (clause.state === 'no test') clause.state = 'passed';
      }
    }
  }
  for (const [id, reason] of Object.entries(NOT_OBSERVABLE)) {
    const clause = standing.get(id);
    if (!clause) strangers.push(`${id}, not observable, is no clause`);
    else if (clause.state === 'no test') Object.assign(clause, { state: 'not observable', reason });
    else if (clause.state === 'passed') strangers.push(`${id} is called not observable and has a test`);
  }
  const count = (state) => [...standing.values()].filter((one) => one.state === state).length;
  console.log();
  for (const [id, { state, tests, reason }] of standing) {
    if (partial && state === 'no test') continue;
    console.log(`  ${id.padEnd(10)} ${state.padEnd(15)} ${reason ?? cut(tests.join('; '), 110)}`);
  }
  // In a whole run a clause that is neither tested nor explained is a hole in this suite.
  const holes = partial ? [] : [...standing].filter(([, { state }]) => state === 'no test').map(([id]) => `${id} has neither a test nor a reason`);
  for (const trouble of [...strangers, ...holes]) console.log(`  ${trouble}`);
  if (values.json) {
    const table = [...standing].map(([id, one]) => ({ id, ...one }));
    writeFileSync(values.json, `${JSON.stringify({ url, clauses: table, tests: results }, null, 1)}\n`);
  }
  const failed = results.filter(({ error }) => error !== null);
  const seconds = results.toSorted((a, b) => b.ms - a.ms).slice(0, 3).map(({ name, ms }) => `${name} ${(ms / 1_000).toFixed(1)} s`);
  console.log(`\n  clauses: ${count('passed')} passed, ${count('failed')} failed, ${count('not observable')} not observable; the slowest: ${seconds.join(', ')}`);
  for (const { name, error } of failed) console.log(`  failed: ${name}: ${cut(error, 160)}`);
  const troubles = strangers.length + holes.length;
  console.log(`\n${results.length - failed.length} passed, ${failed.length + troubles} failed`);
  process.exitCode = failed.length + troubles === 0 && results.length > 0 ? 0 : 1;
}
