// The main promise, in one browser (the first of `BROWSERS`), through a proxy that breaks connections, against the peers a user would pick instead.
// Every message is looked up by id at the far end. Only everwire is held to anything; the peers are printed.
import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { browsers } from './harness/browsers.mjs';
import { compare } from './harness/compare.mjs';
import { startFarEnd } from './harness/far-end.mjs';
import { missingPackage, root } from './harness/site.mjs';
import { table } from './harness/table.mjs';
import { until, within } from './harness/wait.mjs';
import { startProxy } from './proxy.mjs';

const MESSAGES = 1200;
const EVERY_MS = 5;
// Slower, so that there is still something to send when the silence is noticed.
const SILENCE_EVERY_MS = 20;
const RESETS = 12;
const OUTAGE_MS = 3000;
const HEARTBEAT_MS = 5000;
// Short, so that most of the 6 s of sending meet a link and the 12 resets fall among the messages.
const DELAYS = { min: 100, max: 300, factor: 2 };
// Who has not noticed a silenced link by then is printed as `never`. everwire is waited for.
const PEER_PATIENCE_MS = 20_000;
const DEADLINE_MS = 90_000;

const all = ['everwire', 'reconnecting-websocket', 'partysocket', 'socket.io', 'bare socket + retry'];
const [browser] = browsers;
// The peers are for comparison, and one browser is enough for that.
const usual = browser.name === 'Chromium' ? all : ['everwire'];
const clients = (process.env.CLIENTS?.split(',') ?? usual).filter((name) => name !== 'everwire' || !missingPackage());

const scenarios = {
  resets: { title: `${RESETS} resets, one on each open link in the middle of its traffic`, inject: injectResets },
  outage: { title: `an outage of ${OUTAGE_MS / 1000} s`, inject: injectOutage },
  silence: {
    title: `a silenced link, a message every ${SILENCE_EVERY_MS} ms (everwire: heartbeatInterval ${HEARTBEAT_MS}, expectReply true; socket.io: pingInterval 5000, pingTimeout 2000)`,
    inject: injectSilence,
    heartbeat: HEARTBEAT_MS,
    everyMs: SILENCE_EVERY_MS,
  },
};

let lab;
const results = [];
before(async () => {
  lab = await browser.start();
});
after(async () => {
  print();
  await lab?.close();
});

for (const [scenario, { title }] of Object.entries(scenarios)) {
  // Silence takes its time, and liveness.test.mjs measures it in every browser.
  if (scenario === 'silence' && browser.name !== 'Chromium' && !process.env.EVERWIRE_LONG) continue;
  for (const feed of [false, true]) {
    test(`${title}, ${feed ? 'with' : 'without'} a feed`, async (t) => {
      // Side by side: each client has its own page, proxy and server.
      const runs = await Promise.all(clients.map((name) => run(name, scenario, feed)));
      for (const result of runs) results.push(result);
      const ours = runs.find(({ name }) => name === 'everwire');
      if (!ours) return t.skip(missingPackage());
      check(ours);
    });
  }
}

async function run(name, scenario, feed) {
  const { inject, heartbeat, everyMs = EVERY_MS } = scenarios[scenario];
  const far = await startFarEnd({ kind: name === 'socket.io' ? 'socket.io' : 'ws', feed });
  const proxy = await startProxy({ targetPort: far.port });
  const said = new Said();
  const page = await lab.page({ hear: ({ what, ...detail }) => said.add(what, detail) });
  try {
    const options = { name, url: proxy.url, delays: DELAYS, heartbeat, count: MESSAGES, everyMs };
    await page.evaluate(async (options) => {
      window.faults = await import('/page/faults.mjs');
      await window.faults.start(options);
    }, options);
    const fault = await inject({ name, far, proxy, said });
    await until(said, 'change', () => said.happened('sent-all'), { what: 'all sent', deadline: DEADLINE_MS });
    const ending = page.evaluate(() => window.faults.finish().then(() => true));
    // A peer that never notices never ends; its time runs from the fault.
    const patience = name === 'everwire' ? DEADLINE_MS : Math.max(3000, fault.at + PEER_PATIENCE_MS - Date.now());
    ending.catch(() => {});
    const finished = await within(patience, ending, false);
    if (name === 'everwire') assert.ok(finished, `everwire ended within ${DEADLINE_MS} ms`);
    const report = await page.evaluate(() => window.faults.report());
    // The page may be done while the last bytes are still between proxy and server.
    if (finished && report.records) {
      const settled = report.records.filter((record) => record.settled).map((record) => record.id);
      await until(far, 'change', () => settled.every((id) => far.received.includes(id)), { deadline: 10_000, what: 'what was settled' });
    }
    return {
      name,
      feed,
      scenario,
      ...compare(report, far.received),
      noticed: fault.noticed(),
      resetsWhileSending: fault.resetsWhileSending,
      feedSent: far.fed,
      feedReceived: new Set(report.feed).size,
      report,
      received: far.received,
      problems: await page.problems(),
    };
  } finally {
    await page.close();
    await proxy.close();
    await far.close();
  }
}

/** What a page said, with its own time stamps. */
class Said extends EventEmitter {
  log = [];
  add(what, detail) {
    this.log.push({ what, ...detail });
    this.emit('change');
  }
  happened(what, after = 0) {
    return this.log.find((entry) => entry.what === what && entry.at >= after);
  }
}

async function injectResets({ far, proxy, said }) {
  const times = [];
  let connection = 0;
  let resetsWhileSending = 0;
  for (let k = 0; k < RESETS; k++) {
    // Each link carries a different number of messages, so that the resets do not fall on one beat.
    const carried = 10 + ((k * 7) % 16);
    const ready = () => far.connections > connection && (far.onNewest >= carried || (said.happened('sent-all') && said.log.at(-1).what === 'open'));
    const wake = () => said.emit('change');
    far.on('change', wake);
    await until(said, 'change', ready, { what: `link ${k + 1} to carry ${carried} messages`, deadline: DEADLINE_MS });
    far.off('change', wake);
    connection = far.connections;
    if (!said.happened('sent-all')) resetsWhileSending += 1;
    times.push(Date.now());
    proxy.resetAll();
  }
  return { at: times.at(-1), resetsWhileSending, noticed: () => worstNotice(said, times) };
}

async function injectOutage({ far, proxy, said }) {
  await until(far, 'change', () => far.received.length >= 300, { what: 'the first 300 messages' });
  const at = Date.now();
  await proxy.down();
  // The outage itself is a duration, not an event.
  await new Promise((resolve) => setTimeout(resolve, OUTAGE_MS));
  await proxy.up();
  return { at, noticed: () => worstNotice(said, [at]) };
}

async function injectSilence({ name, far, proxy, said }) {
  await until(far, 'change', () => far.received.length >= 100, { what: 'the first 100 messages' });
  const at = Date.now();
  proxy.silence();
  proxy.unsilence();
  const deadline = name === 'everwire' ? DEADLINE_MS : PEER_PATIENCE_MS;
  const noticing = until(said, 'change', () => said.happened('close', at), { deadline, what: 'the silenced link to be noticed' });
  await noticing.catch((error) => {
    if (name === 'everwire') throw error;
  });
  return { at, noticed: () => worstNotice(said, [at]) };
}

/** The longest time from a fault to the client's close event, in ms, or null where none came. */
function worstNotice(said, times) {
  const delays = times.map((at, i) => {
    const close = said.log.find((entry) => entry.what === 'close' && entry.at >= at - 1 && entry.at < (times[i + 1] ?? Infinity));
    return close ? Math.max(0, close.at - at) : null;
  });
  return delays.includes(null) ? null : Math.max(...delays);
}

/** What everwire promises under best-effort delivery. */
function check(result) {
  const { records } = result.report;
  const arrived = new Map(result.received.map((id, index) => [id, index]));
  assert.equal(result.sent, MESSAGES);
  assert.equal(result.silent, 0, 'every missing message was reported');
  assert.equal(result.duplicated, 0, 'nothing arrived twice');
  assert.equal(result.outOfOrder, 0, 'order kept');
  assert.notEqual(result.noticed, null, 'every fault was noticed');
  assert.deepEqual(result.problems, [], 'no uncaught error, no unhandled rejection');
  assert.equal(result.report.queued, 0);
  assert.equal(result.report.state, 'closed');
  for (const record of records) {
    assert.equal(record.settled + record.undelivered, 1, `${record.id} left by exactly one exit`);
    if (record.settled) assert.ok(arrived.has(record.id), `${record.id} was settled and is there`);
    if (!record.undelivered) continue;
    assert.equal(record.reason, 'in-doubt', `${record.id}: the outbox had room and the wire came back`);
    if (arrived.has(record.id)) assert.ok(record.fateUnknown, `${record.id} was reported yet delivered: its fate was unknown`);
  }
  // What waited in the outbox when the one fault was over has no other link to be lost on.
  const waited = records.filter((record) => record.stateAtSend !== 'open');
  if (result.scenario === 'resets') {
    assert.ok(result.resetsWhileSending >= RESETS - 2, `${result.resetsWhileSending} of ${RESETS} resets fell among the messages`);
  } else {
    assert.deepEqual(waited.filter((record) => !arrived.has(record.id)), [], 'all that waited arrived');
  }
  if (result.scenario === 'silence') {
    assert.ok(arrived.has(records.at(-1).id), 'what was sent after the silence was noticed arrived');
  } else {
    assert.ok(waited.length > 0, 'something waited');
  }
  const positions = waited.filter((record) => arrived.has(record.id)).map((record) => arrived.get(record.id));
  assert.deepEqual(positions, [...positions].sort((a, b) => a - b), 'what waited arrived in order');
}

function print() {
  if (!results.length) return;
  const dash = (value) => value ?? '–';
  const rows = [];
  for (const [scenario, { title }] of Object.entries(scenarios)) {
    if (results.some((result) => result.scenario === scenario)) rows.push({ group: title });
    for (const name of clients) {
      for (const feed of [false, true]) {
        const r = results.find((result) => result.scenario === scenario && result.name === name && result.feed === feed);
        if (!r) continue;
        const noticed = r.noticed === null ? 'never' : `${(r.noticed / 1000).toFixed(2)} s`;
        rows.push([name, feed ? '200/s' : 'none', r.sent, r.delivered, r.lost, dash(r.reported), r.silent, dash(r.reportedYetDelivered), r.duplicated, r.outOfOrder, noticed]);
      }
    }
  }
  const columns = ['client', 'feed', 'sent', 'delivered', 'lost', 'reported', 'lost silently', 'reported yet delivered', 'duplicated', 'out of order', 'noticed after'];
  console.log(`\n${browser.name}: ${MESSAGES} messages, one every ${EVERY_MS} ms where nothing else is said; reconnect delays of all: ${DELAYS.min} ms × ${DELAYS.factor}, at most ${DELAYS.max} ms\n`);
  console.log(table(columns, rows));
  console.log(`\nreported: by an undelivered event. noticed after: the longest; never: not within ${PEER_PATIENCE_MS / 1000} s.\n`);
  const out = path.join(root, 'tests/e2e/out');
  mkdirSync(out, { recursive: true });
  const plain = results.map(({ report, received, problems, ...numbers }) => numbers);
  writeFileSync(path.join(out, browser.name === 'Chromium' ? 'faults.json' : `faults-${browser.name.toLowerCase()}.json`), `${JSON.stringify({ messages: MESSAGES, everyMs: EVERY_MS, delays: DELAYS, results: plain }, null, 2)}\n`);
}
