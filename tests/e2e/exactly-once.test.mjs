// The whole promise, in Chromium: two pages send to each other through proxies that break connections, to a server that was
// written from docs/PROTOCOL.md alone. Every message is looked up by name and number at the other page: nothing is lost,
// nothing comes twice, nothing comes out of order.
import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { after, before, test } from 'node:test';
import { serve } from '../../examples/node-session-server/server.mjs';
import { startLab } from './harness/browser.mjs';
import { missingPackage } from './harness/site.mjs';
import { table } from './harness/table.mjs';
import { until } from './harness/wait.mjs';
import { startProxy } from './proxy.mjs';

const MESSAGES = 1200;
const EVERY_MS = 5;
const RESETS = 12;
const OUTAGE_MS = 3000;
const SILENCE_EVERY_MS = 20;
const LONG_BYTES = 256 * 1024;
const LONG_MESSAGES = 12;
const LONG_RATE = 512 * 1024;
const DEADLINE_MS = 120_000;
const NAMES = ['ann', 'bob'];

const scenarios = {
  [`${RESETS} resets of every link in the middle of its traffic`]: { inject: resets, hurried: true },
  [`an outage of ${OUTAGE_MS / 1000} s`]: { inject: outage },
  'silenced links': { inject: silence, everyMs: SILENCE_EVERY_MS },
  [`messages of ${LONG_BYTES / 1024} KiB over ${LONG_RATE / 1024} KiB/s, cut once`]: {
    inject: cutOnce, count: LONG_MESSAGES, everyMs: 0, bytes: LONG_BYTES, bytesPerSecond: LONG_RATE,
  },
};

const skip = missingPackage();
let lab;
const rows = [];
before(async () => {
  if (!skip) lab = await startLab();
});
after(async () => {
  if (rows.length) {
    const columns = ['fault', 'page', 'sent', 'received', 'lost', 'duplicated', 'out of order', 'links'];
    console.log(`\neverwire/exactly-once to examples/node-session-server, two pages to each other\n\n${table(columns, rows)}\n`);
  }
  await lab?.close();
});

for (const [title, scenario] of Object.entries(scenarios)) {
  test(title, { skip }, async () => {
    const { inject, count = MESSAGES, everyMs = EVERY_MS, bytes = 0, bytesPerSecond, hurried } = scenario;
    const server = await serve({ port: 0, origins: [lab.site.origin], authenticate: (token) => ({ identity: token.replace(':', '_') }) });
    const ends = [];
    try {
      for (const name of NAMES) ends.push(await open(name, server.url, bytesPerSecond, hurried));
      const sending = ends.map(({ page, name }) => page.evaluate((what) => window.end.send(what), { name, count, everyMs, bytes }));
      const injected = await Promise.all(ends.map(inject));
      await Promise.all(sending);
      for (const { said } of ends) {
        await until(said, 'change', () => said.received >= 2 * count, { deadline: DEADLINE_MS, what: 'everything to have arrived' })
          .catch(() => {}); // The comparison below says what is missing.
      }
      const reports = [];
      for (const { page } of ends) {
        await page.waitForFunction(() => window.end.state().unsettled === 0, undefined, { timeout: DEADLINE_MS });
        reports.push(await page.evaluate(() => window.end.report()));
      }
      ends.forEach(({ name, page }, at) => {
        assert.deepEqual(page.problems, [], 'no uncaught error, no unhandled rejection');
        check(title, name, reports[at], count);
      });
      assert.ok(injected.every((many) => many > 0), 'the faults have happened');
      // Both pages have seen one order.
      const [ann, bob] = reports.map(({ received }) => received.map(([from, at]) => `${from} ${at}`));
      const others = NAMES.flatMap((name) => Array.from({ length: count }, (_, at) => `${name} ${at}`));
      assert.deepEqual([...ann].sort(), [...others].sort());
      assert.deepEqual(ann, bob);
      await Promise.all(ends.map(({ page }) => page.evaluate(() => window.end.close())));
    } finally {
      for (const { page, proxy } of ends) {
        await page.context().close();
        await proxy.close();
      }
      await server.close();
    }
  });
}

/** A page behind a proxy of its own, in the room. */
async function open(name, url, bytesPerSecond, hurried = false) {
  const proxy = await startProxy({ targetPort: Number(new URL(url).port), ...(bytesPerSecond && { bytesPerSecond }) });
  const said = new EventEmitter();
  Object.assign(said, { received: 0, opens: 0, closes: 0 });
  const tell = ({ what, count }) => {
    if (what === 'received') said.received = count;
    if (what === 'open') said.opens++;
    if (what === 'close') said.closes++;
    said.emit('change');
  };
  const page = await lab.page({ prepare: (page) => page.exposeFunction('tell', tell) });
  await page.evaluate(async (options) => {
    window.end = await import('/page/exactly-once.mjs');
    await window.end.start(options);
  }, { url: proxy.url, name, hurried });
  return { name, page, proxy, said };
}

async function resets({ proxy, said }) {
  for (let done = 0; done < RESETS; done++) {
    const { received } = said;
    // Each link carries another number of messages, so that the resets do not fall on one beat.
    const ready = () => said.opens > done && said.received > received + 10 + ((done * 7) % 16);
    await until(said, 'change', ready, { deadline: DEADLINE_MS, what: `link ${done + 1} to carry something` });
    proxy.resetAll();
  }
  return RESETS;
}

async function outage({ proxy, said }) {
  await until(said, 'change', () => said.received >= 300, { deadline: DEADLINE_MS, what: 'the first 300 messages' });
  await proxy.down();
  // The outage itself is a duration, not an event.
  await new Promise((resolve) => setTimeout(resolve, OUTAGE_MS));
  await proxy.up();
  return 1;
}

async function silence({ proxy, said }) {
  await until(said, 'change', () => said.received >= 100, { deadline: DEADLINE_MS, what: 'the first 100 messages' });
  const { closes } = said;
  proxy.silence();
  proxy.unsilence();
  await until(said, 'change', () => said.closes > closes, { deadline: DEADLINE_MS, what: 'the silence to be noticed' });
  return 1;
}

async function cutOnce({ proxy, said }) {
  await until(said, 'change', () => said.received >= 3, { deadline: DEADLINE_MS, what: 'the first 3 messages' });
  proxy.resetAll();
  return 1;
}

/** Every message once, in the order of its sender, and every promise kept. */
function check(title, name, report, count) {
  const seen = new Map();
  let outOfOrder = 0;
  let duplicated = 0;
  const last = {};
  for (const [from, at] of report.received) {
    const key = `${from} ${at}`;
    duplicated += seen.has(key);
    seen.set(key, true);
    outOfOrder += at <= (last[from] ?? -1);
    last[from] = at;
  }
  const links = report.told.filter(({ what }) => what === 'open').length;
  const lost = NAMES.length * count - seen.size;
  rows.push([title, name, report.sent, report.received.length, lost, duplicated, outOfOrder, links]);
  assert.equal(report.sent, count);
  assert.deepEqual({ lost, duplicated, outOfOrder }, { lost: 0, duplicated: 0, outOfOrder: 0 });
  assert.ok(report.fates.every((fate) => fate.settled === 1 && !fate.rejected), 'every promise was kept');
  assert.equal(report.queued, 0);
  assert.ok(links > 1, 'the wire has lived on several links');
}
