// Tabs in the background of a Chromium that wakes them once a minute, and in front of their servers somebody who drops who has been
// silent for 45 s. A client whose heartbeat is a timer is dropped; one that answers from its message handler is not.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { cleanups } from './harness/cleanup.mjs';
import { dropSilent } from './harness/patience.mjs';
import { missingPackage, startSite } from './harness/site.mjs';
import { startSteady } from './harness/steady.mjs';
import { table } from './harness/table.mjs';
import { startTabs } from './harness/tabs.mjs';
import { startProxy } from './proxy.mjs';
import { servers, startServer } from './servers-under-test.mjs';

const LONG = Boolean(process.env.EVERWIRE_LONG);
// A beat that is due once a minute is too late within 90 s of hiding, whenever in the minute that is.
const HIDDEN_MS = LONG ? 600_000 : 100_000;
const PATIENCE_MS = 45_000;
// A heartbeat of 30 s goes out with the first frame after it is due, so after 42 s at the latest.
const SERVER_PINGS_MS = 12_000;
// Chromium waits five minutes before it wakes a hidden page only once a minute.
const GRACE_S = 5;
const session = servers.find(({ name, missing }) => name === 'everwire-server' && !missing()) ?? servers.at(-1);

/** `kept`: must not be dropped. `dropped`: must be, or the test shows nothing; an interval of 30 s is chained, and so slowed, after five. */
const CLIENTS = [
  { title: 'everwire/exactly-once', server: 'session', page: 'exactly-once', kept: true },
  { title: 'everwire', server: 'pinging', page: 'best-effort', kept: true },
  { title: 'everwire in a worker', server: 'quiet', page: 'worker', kept: true },
  { title: 'everwire', server: 'quiet', page: 'best-effort' },
  { title: 'bare, setInterval of 30 s', server: 'pinging', page: 'interval', dropped: LONG },
  { title: 'bare, asks every second', server: 'pinging', page: 'tick', dropped: true },
  { title: 'socket.io-client', server: 'socket.io', page: 'socket.io' },
];
const SAYS = {
  session: `${session.name}: pings after 25 s of silence`,
  pinging: `plain, a message every ${SERVER_PINGS_MS / 1000} s`,
  quiet: 'plain, says nothing',
  'socket.io': 'socket.io: pings every 25 s',
};

/** Runs in the page before anything else: a timer of 1 s, chained as `setInterval` is, and whether the page was ever seen again. */
function measure() {
  const measured = (window.measured = { last: performance.now(), longest: 0, shown: 0 });
  setInterval(() => {
    const now = performance.now();
    measured.longest = Math.max(measured.longest, now - measured.last);
    measured.last = now;
  }, 1_000);
  document.addEventListener('visibilitychange', () => (measured.shown += document.visibilityState === 'visible'));
}

const cleanup = cleanups(after);
let site;
let browser;
before(async () => {
  site = await startSite();
  cleanup.push(() => site.close());
  browser = await startTabs({ args: [`--enable-features=IntensiveWakeUpThrottling:grace_period_seconds/${GRACE_S}`] });
  cleanup.push(() => browser.close());
});

test(`hidden for ${HIDDEN_MS / 1000} s, woken once a minute, dropped after ${PATIENCE_MS / 1000} s of silence`, { skip: missingPackage() }, async () => {
  const started = {
    session: await startServer(session, { origin: site.origin }),
    // Its pings are messages, for a browser would answer others by itself.
    pinging: await startSteady({ kind: 'ws', answers: false, feed: { type: 'ping', everyMs: SERVER_PINGS_MS } }),
    quiet: await startSteady({ kind: 'ws', answers: false }),
    'socket.io': await startSteady({ kind: 'socket.io' }),
  };
  for (const server of Object.values(started)) cleanup.push(() => server.close());

  const tabs = [];
  for (const client of CLIENTS) {
    const server = started[client.server];
    const proxy = await startProxy({ targetPort: server.port });
    cleanup.push(() => proxy.close());
    const tab = await browser.tab(`${site.origin}/`, { init: measure, window: tabs.length === 0 });
    // One after the other they come to the front, so that none begins its life slowed.
    await tab.front();
    const watched = dropSilent(proxy, PATIENCE_MS);
    await tab.evaluate(async (options) => {
      window.client = await import('/page/throttled.mjs');
      await window.client.start(options);
    }, { name: client.page, url: proxy.url + server.path });
    tabs.push({ ...client, tab, proxy, watched });
  }
  const cover = await browser.tab(`${site.origin}/`);
  await cover.front();
  for (const { title, tab } of tabs) {
    assert.equal(await tab.evaluate(() => document.visibilityState), 'hidden', title);
    await tab.evaluate(() => Object.assign(window.measured, { last: performance.now(), longest: 0, shown: 0 }));
  }
  // How long they are hidden is a duration, not an event.
  await sleep(HIDDEN_MS);

  const rows = [];
  for (const one of tabs) {
    one.measured = await one.tab.evaluate(() => ({
      ...window.measured, longest: Math.max(window.measured.longest, performance.now() - window.measured.last), visible: document.visibilityState,
    }));
    one.report = await one.tab.evaluate(() => window.client.report());
    const { title, server, proxy, watched, measured, report } = one;
    rows.push([title, SAYS[server], watched.dropped, proxy.accepted, (watched.longest / 1000).toFixed(1), watched.frames, (measured.longest / 1000).toFixed(1), report.works]);
  }
  console.log(`\n${table(['client', 'server', 'dropped', 'links', 'longest silence, s', 'frames', 'longest gap of a 1 s timer, s', 'at the end'], rows)}\n`);

  for (const { title, server, page, kept, dropped, tab, proxy, watched, measured, report } of tabs) {
    const who = `${title}, ${SAYS[server]}`;
    assert.deepEqual([measured.visible, measured.shown], ['hidden', 0], `${who}: hidden all the while`);
    // In the short run one of the two gaps may have been cut by its end.
    assert.ok(measured.longest >= (LONG ? 59_000 : PATIENCE_MS), `${who}: its timers were not slowed, this has shown nothing: ${measured.longest} ms`);
    assert.deepEqual(tab.problems, [], who);
    if (dropped) assert.ok(watched.dropped > 0, `${who}: it was to be dropped, or nobody drops anybody`);
    if (!kept) continue;
    assert.deepEqual([watched.dropped, proxy.accepted, report.opens, report.closes], [0, 1, 1, []], `${who}: on its first link`);
    assert.equal(report.works, page === 'exactly-once' ? 'stored' : 'written', `${who}: still works`);
  }
});
