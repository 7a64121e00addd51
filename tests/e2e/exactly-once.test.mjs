// The whole promise: two pages send to each other through proxies that break connections, in each browser, to each server
// that speaks the protocol. Every message is looked up by name at the other page: nothing is lost, nothing comes twice,
// nothing comes out of order. Where a server loses its memory, both ends are told exactly what that has cost.
import assert from 'node:assert/strict';
import { randomBytes, randomInt } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { account, oneOrder } from './harness/account.mjs';
import { scenarios } from './harness/breaking.mjs';
import { browsers, inEachBrowser } from './harness/browsers.mjs';
import { missingPackage, root } from './harness/site.mjs';
import { table } from './harness/table.mjs';
import { until } from './harness/wait.mjs';
import { startProxy } from './proxy.mjs';
import { servers, startServer } from './servers-under-test.mjs';

const MESSAGES = 1200;
const NAMES = ['ann', 'bob'];
// They mostly wait.
const AT_ONCE = 3;
// Only a hang takes that long.
const DEADLINE_MS = 120_000;

const long = Boolean(process.env.EVERWIRE_LONG);
const seed = Number(process.env.EVERWIRE_SEED || randomInt(2 ** 32));
const all = scenarios({ seed, randomMs: long ? 60_000 : 15_000 });
const chosen = (variable, name) => !process.env[variable] || process.env[variable].split(',').includes(name);

const ran = [];
after(report);

const noPackage = missingPackage();
const present = servers.filter((kind) => !kind.missing() && chosen('SERVERS', kind.name));
for (const kind of servers) {
  if (chosen('SERVERS', kind.name) && kind.missing()) test(kind.name, { skip: kind.missing() }, () => {});
}
inEachBrowser((browser) => {
  // Every browser meets every scenario but WebKit, which meets a few; Chromium every server as well.
  const met = browser.name === 'Chromium' || long ? present : present.slice(0, 1);
  const scenarios = browser.name === 'WebKit' && !long ? all.filter(({ brief }) => brief) : all;
  for (const kind of met) matrix(browser, kind, scenarios);
});

function matrix(browser, kind, scenarios) {
  describe(`${browser.name}, ${kind.name}`, { skip: noPackage, concurrency: AT_ONCE }, () => {
    const group = { browser: browser.name, server: kind.name, durable: kind.durable, rows: [] };
    let lab;
    before(async () => {
      lab = await browser.start();
      group.version = lab.version;
      ran.push(group);
    });
    after(() => lab?.close());
    for (const scenario of scenarios) {
      test(scenario.title, async () => {
        const row = await run(lab, kind, scenario);
        group.rows.push(row);
        check(row, kind, scenario);
      });
    }
  });
}

async function run(lab, kind, { title, inject, count = MESSAGES, everyMs, long, bytesPerSecond, hurried }) {
  const began = performance.now();
  const server = { ...(await startServer(kind, { origin: lab.site.origin })), durable: kind.durable };
  const ends = [];
  try {
    for (const name of NAMES) ends.push(await open(lab, { name, server, bytesPerSecond, hurried }));
    for (const { page } of ends) await page.evaluate((what) => window.end.send(what), { count, everyMs, long });
    const faults = await inject({ ends, server });
    await everyEnd(ends, ({ decided }) => decided, 'the fate of every message');
    for (const { page } of ends) await page.evaluate(() => window.end.finish());
    // What stands behind everything has arrived. Where it has not, the comparison says what is missing.
    await everyEnd(ends, ({ ended }) => ended.size === ends.length, 'everything to have arrived').catch(() => {});
    const reports = {};
    const problems = [];
    const secrets = [];
    for (const { name, page, token, marker } of ends) {
      const { drawn, ...report } = await page.evaluate(() => window.end.report());
      reports[name] = report;
      assert.ok(drawn.length > 0, 'it has drawn its producer');
      secrets.push(token, marker, ...drawn);
      problems.push(...(await page.problems()));
    }
    await Promise.all(ends.map(({ page }) => page.evaluate(() => window.end.close())));
    const log = await server.leaks(secrets);
    return { title, faults, problems, reports, log, ms: performance.now() - began, pages: NAMES.map((name) => account(reports[name], reports)) };
  } finally {
    for (const { page, proxy } of ends) {
      await page.close();
      await proxy.close();
    }
    await server.close();
  }
}

/** A page behind a proxy of its own, in the room. */
async function open(lab, { name, server, bytesPerSecond, hurried }) {
  const proxy = await startProxy({ targetPort: server.port, ...(bytesPerSecond && { bytesPerSecond }) });
  const said = Object.assign(new EventEmitter(), { received: 0, opens: 0, closes: 0, decided: false, ended: new Set() });
  const hear = ({ what, count, from }) => {
    if (what === 'received') said.received = count;
    if (what === 'open') said.opens++;
    if (what === 'close') said.closes++;
    if (what === 'decided') said.decided = true;
    if (what === 'end') said.ended.add(from);
    said.emit('change');
  };
  const page = await lab.page({ hear });
  const [token, marker] = [server.token(name), randomBytes(16).toString('hex')];
  await page.evaluate(async (options) => {
    window.end = await import('/page/exactly-once.mjs');
    await window.end.start(options);
  }, { url: proxy.url + server.path, name, token, hurried, marker });
  return { name, page, proxy, said, token, marker };
}

function everyEnd(ends, condition, what) {
  return Promise.all(ends.map(({ said }) => until(said, 'change', () => condition(said), { deadline: DEADLINE_MS, what })));
}

function check({ reports, pages, problems, faults, log }, { durable }, { count = MESSAGES, kills }) {
  assert.deepEqual(problems, [], 'no uncaught error, no unhandled rejection');
  assert.ok(faults > 0, 'the faults have happened');
  assert.deepEqual(log.found, [], 'no token, content or producer in what the server has logged');
  const forgets = kills && !durable;
  for (const sum of pages) {
    assert.equal(sum.sent, NAMES.length * count);
    const { lost, duplicated, outOfOrder, silent } = sum;
    assert.deepEqual({ duplicated, outOfOrder, silent }, { duplicated: 0, outOfOrder: 0, silent: 0 });
    if (!forgets) assert.equal(lost, 0);
  }
  assert.ok(oneOrder(...Object.values(reports)), 'both pages have seen one order');
  for (const { fates, told, queued } of Object.values(reports)) {
    assert.ok(fates.every(({ settled, rejected }) => settled + Boolean(rejected) === 1), 'every promise has one end');
    assert.ok(fates.every((fate) => !fate.settled || fate.durable === durable), 'receipts say what they are worth');
    assert.equal(queued, 0);
    const heard = (what) => told.filter((entry) => entry.what === what);
    assert.ok(heard('open').length > 1, 'the wire has lived on several links');
    if (forgets) {
      assert.ok(fates.every(({ rejected }) => !rejected || rejected === 'unknown'), 'what may be gone is `unknown`');
      assert.equal(heard('unbacked').length, faults, 'every log that is gone takes its receipts back');
      assert.deepEqual(heard('unbacked').flatMap(({ unreported }) => unreported), [], 'all of them');
    } else {
      assert.ok(fates.every(({ rejected }) => !rejected), 'every promise was kept');
      assert.deepEqual([...heard('lost'), ...heard('unbacked')], [], 'nobody is told of a loss that has not happened');
    }
  }
}

async function report() {
  if (!ran.length) return;
  const both = (pages, name) => pages.map((sum) => sum[name]).join(' / ');
  const rows = [];
  for (const { browser, version, server, durable, rows: of } of ran) {
    rows.push({ group: `${browser} ${version}, ${server} (${durable ? 'durable' : 'in memory'})` });
    for (const { title, pages, faults, reports, log, ms } of of) {
      const numbers = ['sent', 'received', 'lost', 'duplicated', 'outOfOrder', 'toldSender', 'toldReceiver', 'silent'];
      const links = Object.values(reports).map(({ told }) => told.filter(({ what }) => what === 'open').length).join(' / ');
      rows.push([title, faults, ...numbers.map((name) => both(pages, name)), links, (log.bytes / 1_000).toFixed(0), (ms / 1_000).toFixed(1)]);
    }
  }
  const columns = ['fault', 'faults', 'sent', 'received', 'lost', 'duplicated', 'out of order', 'told sender', 'told receiver', 'silent', 'links', 'log, kB', 's'];
  console.log(`\neverwire/exactly-once, two pages to each other; what each page should have received, and has\n\n${table(columns, rows)}\n`);
  for (const { name, missing } of browsers) if (missing) console.log(`${name} has not run: ${missing}`);
  for (const { name, missing } of servers) if (missing()) console.log(`${name} has not run: ${missing()}`);
  const out = path.join(root, 'tests/e2e/out');
  await mkdir(out, { recursive: true });
  await writeFile(path.join(out, 'exactly-once.json'), JSON.stringify({ seed, ran }, null, 1));
}
