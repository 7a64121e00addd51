// All that a page goes through, in random order: hidden, frozen, offline, silent, its connection reset, also together. Two pages send
// to each other all the while; every message is looked up by name at the other page, and the page never has two links.
import assert from 'node:assert/strict';
import { randomBytes, randomInt } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { after, before, describe, test } from 'node:test';
import { startServer as startEcho } from '../../examples/node-server/server.mjs';
import { account, oneOrder } from './harness/account.mjs';
import { lifeOf, live, planLife, tellLife } from './harness/life.mjs';
import { countSockets, watchLinks } from './harness/links.mjs';
import { seeded } from './harness/random.mjs';
import { missingPackage, startSite } from './harness/site.mjs';
import { table } from './harness/table.mjs';
import { startTabs } from './harness/tabs.mjs';
import { until } from './harness/wait.mjs';
import { startProxy } from './proxy.mjs';
import { servers, startServer } from './servers-under-test.mjs';

const LIFE_MS = process.env.EVERWIRE_LONG ? 300_000 : 30_000;
const ROUGH_MS = 15_000;
const EVERY_MS = 40;
// Only a hang takes that long.
const DEADLINE_MS = 120_000;
const seed = Number(process.env.SEED || randomInt(2 ** 32));
const session = servers.find(({ name, missing }) => name === 'everwire-server' && !missing()) ?? servers.at(-1);

// Chromium alone: no other browser can be told to freeze a page.
describe('a random life', { skip: missingPackage() }, () => {
  let site;
  let browser;
  let run;
  before(async () => {
    site = await startSite();
    browser = await startTabs();
    console.log(`SEED=${seed} repeats this life (Chromium ${browser.version}, ${session.name})`);
  });
  after(async () => {
    await browser?.close();
    await site?.close();
  });

  test(`exactly-once, ${LIFE_MS / 1000} s: nothing lost, twice or out of order, never two links`, async () => {
    const server = await startServer(session, { origin: site.origin });
    try {
      run = await runLife({ site, browser, module: 'exactly-once', server, duration: LIFE_MS });
    } finally {
      await server.close();
    }
    report('everwire/exactly-once', run);
    for (const [what, times] of Object.entries(run.saw)) assert.ok(times > 0, `it has not happened: ${what}`);
    assert.deepEqual(run.problems, [], 'no uncaught error, no unhandled rejection');
    assert.deepEqual(verdict(run), WELL);
    for (const { fates, queued } of Object.values(run.reports)) {
      assert.ok(fates.every(({ settled, rejected }) => settled === 1 && !rejected), 'every promise was kept, once');
      assert.equal(queued, 0);
    }
    assert.ok(run.audit.links.length > run.saw.reset, 'resets have cost links');
    assert.ok(run.audit.links.filter(({ messages }) => messages > 0).length > 1, 'the proxy has heard the page on several links');
  });

  test('who looks would have seen it', () => {
    assert.ok(run, 'needs the life before');
    const faults = {
      lost: ({ reports }) => reports.bob.received.splice(reports.bob.received.findIndex(([from]) => from === 'ann'), 1),
      duplicated: ({ reports }) => reports.bob.received.push(reports.bob.received.find(([from]) => from === 'ann')),
      outOfOrder: ({ reports: { ann } }) => ann.received.push(...ann.received.splice(ann.received.findIndex(([from]) => from === 'bob'), 1)),
      overtaken: ({ audit }) => overtake(audit),
      together: ({ sockets }) => sockets.together.push(2),
    };
    for (const [what, make] of Object.entries(faults)) {
      const broken = structuredClone(run);
      make(broken);
      assert.equal(verdict(broken)[what], 1, what);
    }
  });

  test('a client as most pages write it loses, and has two links', async () => {
    const server = await startEcho({ maxMessagesPerSecond: 10_000 });
    let rough;
    try {
      rough = await runLife({ site, browser, module: 'rough', server: { port: server.port, path: '', token: () => null }, duration: ROUGH_MS });
    } finally {
      await server.close();
    }
    report('by hand', rough);
    const { lost, together, overtaken } = verdict(rough);
    assert.ok(lost > 0, 'what was on its way is gone');
    assert.ok(together > 0, 'the page saw two sockets');
    assert.ok(overtaken > 0, 'the proxy heard it on an older link');
  });
});

const WELL = { lost: 0, duplicated: 0, outOfOrder: 0, oneOrder: true, overtaken: 0, together: 0 };

function verdict({ reports, audit, sockets }) {
  const sums = Object.values(reports).map((report) => account(report, reports));
  const all = (name) => sums.reduce((total, sum) => total + sum[name], 0);
  return {
    lost: all('lost'), duplicated: all('duplicated'), outOfOrder: all('outOfOrder'), oneOrder: oneOrder(reports.ann, reports.bob),
    overtaken: audit.overtaken.length, together: sockets.together.length,
  };
}

/** Two connections of one client, as octets: the older one speaks after the newer. */
function overtake(audit) {
  const proxy = new EventEmitter();
  const watched = watchLinks(proxy);
  const links = [1, 2].map((id) => Object.assign(new EventEmitter(), { id }));
  links.forEach((link) => proxy.emit('accept', link));
  const masked = (opcode, length) => Buffer.concat([Buffer.from([0x80 | opcode, 0x80 | length]), Buffer.alloc(4 + length)]);
  for (const link of links) link.emit('read', 'up', Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'));
  links[0].emit('read', 'up', masked(1, 5));
  // In two pieces: TCP knows no frames.
  links[1].emit('read', 'up', masked(1, 5).subarray(0, 3));
  links[1].emit('read', 'up', masked(1, 5).subarray(3));
  links[0].emit('read', 'up', masked(8, 2));
  assert.deepEqual(watched.overtaken, [], 'a close frame may be late');
  links[0].emit('read', 'up', masked(2, 0));
  audit.overtaken.push(...watched.overtaken);
}

/** Ann lives, bob sits still in a window of his own. */
async function runLife({ site, browser, module, server, duration }) {
  const proxy = await startProxy({ targetPort: server.port });
  const audit = watchLinks(proxy);
  const plan = planLife(seeded(seed), duration);
  let life;
  const open = async (name, url, init) => {
    const said = Object.assign(new EventEmitter(), { decided: false, ended: new Set() });
    const hear = (message) => {
      if (message.what === 'life') life?.heard(message);
      if (message.what === 'decided') said.decided = true;
      if (message.what === 'end') said.ended.add(message.from);
      said.emit('change');
    };
    const tab = await browser.tab(`${site.origin}/`, { hear, init, window: true });
    await tab.evaluate(async ({ module, ...options }) => {
      window.end = await import(`/page/${module}.mjs`);
      await window.end.start(options);
    }, { module, url, name, token: server.token(name), marker: randomBytes(16).toString('hex') });
    return { name, tab, said };
  };
  const ends = [];
  let cover;
  try {
    ends.push(await open('bob', `ws://127.0.0.1:${server.port}${server.path}`));
    ends.push(await open('ann', `${proxy.url}${server.path}`, `() => { (${countSockets})(); (${tellLife})(); }`));
    const [bob, ann] = ends;
    // It opens in the window that was made last, and in front.
    life = lifeOf(ann.tab, (cover = await browser.tab(`${site.origin}/`)), proxy);
    await ann.tab.front();
    await until(ann.said, 'change', () => life.saw.visible > 0, { what: 'ann to be in front' });
    await ann.tab.call('Network.enable');
    for (const { tab } of ends) await tab.evaluate((everyMs) => window.end.send({ everyMs }), EVERY_MS);
    await live(plan, life);
    for (const { tab } of ends) await tab.evaluate(() => window.end.stop());
    await everyEnd(ends, ({ decided }) => decided, 'the fate of every message');
    for (const { tab } of ends) await tab.evaluate(() => window.end.finish());
    // What stands behind everything has arrived. Where it has not, the comparison says what is missing.
    await everyEnd(ends, ({ ended }) => ended.size === ends.length, 'everything to have arrived').catch(() => {});
    const reports = {};
    for (const { name, tab } of ends) reports[name] = await tab.evaluate(() => window.end.report());
    const sockets = await ann.tab.evaluate(() => window.sockets);
    assert.equal(await bob.tab.evaluate(() => document.visibilityState), 'visible', 'bob was not to be slowed');
    for (const { tab } of ends) await tab.evaluate(() => window.end.close());
    return { plan, saw: life.saw, reports, audit, sockets, problems: ends.flatMap(({ tab }) => tab.problems) };
  } finally {
    for (const { tab } of ends) await tab.close();
    await cover?.close();
    await proxy.close();
  }
}

function everyEnd(ends, condition, what) {
  return Promise.all(ends.map(({ said }) => until(said, 'change', () => condition(said), { deadline: DEADLINE_MS, what })));
}

function report(client, run) {
  const { lost, duplicated, outOfOrder, overtaken, together } = verdict(run);
  const columns = ['client', 'messages', ...Object.keys(run.saw), 'links', 'lost', 'duplicated', 'out of order', 'overtaken', 'two sockets'];
  const messages = Object.values(run.reports).map(({ fates }) => fates.length).join(' + ');
  console.log(`\n${table(columns, [[client, messages, ...Object.values(run.saw), run.audit.links.length, lost, duplicated, outOfOrder, overtaken, together]])}\n`);
}
