// What a page goes through, in each browser: the back/forward cache, in which it must not have a link and after which it has one
// at once; the browser's own switch of the network.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { serve } from '../../examples/node-session-server/server.mjs';
import { startServer as startEcho } from '../../examples/node-server/server.mjs';
import { inEachBrowser } from './harness/browsers.mjs';
import { cleanups } from './harness/cleanup.mjs';
import { measures } from './harness/measured.mjs';
import { missingPackage } from './harness/site.mjs';
import { startProxy } from './proxy.mjs';

const skip = missingPackage();
const LONG = !!process.env.EVERWIRE_LONG;
const MODES = ['exactly-once', 'best-effort'];
const SENDS = 20;
/** How often a page goes into the cache and comes back: ten times in a row are at once, what is more waits a little. */
const RETURNS = 5;
const PAGES = LONG ? 6 : 1;
/** Each time that the network is off. */
const OFFLINE_MS = LONG ? 20_000 : 6_000;
/** Wires of a page that goes offline. Chromium spreads more dials at once over seconds; others have one dial to a host at a time. */
const wires = ({ name }) => (name === 'Chromium' ? 6 : 1);
const offlines = (browser) => (LONG ? 30 / wires(browser) : 1);
const TIMEOUT = LONG ? 1_200_000 : 300_000;

const table = measures('page-life');

inEachBrowser((browser) => {
  describe(`the life of a page in ${browser.name}`, { skip, timeout: 4 * TIMEOUT }, () => {
    let lab;
    const cleanup = cleanups();
    // Playwright turns the cache off.
    before(async () => (lab = await browser.start({ ignoreDefaultArgs: ['--disable-back-forward-cache'] })));
    after(() => lab?.close());

    async function open(mode) {
      const server = mode === 'exactly-once' ? await serve({ origins: [lab.site.origin] }) : await startEcho();
      cleanup.push(() => server.close());
      const proxy = await startProxy({ targetPort: Number(new URL(server.url).port) });
      cleanup.push(() => proxy.close());
      const page = await lab.page();
      cleanup.push(() => page.close());
      return { proxy, page };
    }

    /** What is skipped has no `afterEach`. */
    async function skipped(t, why) {
      await cleanup.now();
      t.skip(why);
    }

    /** Into the cache and back, a few times: whether the page was kept, and how long it took to be open each time. */
    async function goAndReturn(mode) {
      const { proxy, page } = await open(mode);
      const times = [];
      await page.evaluate(prepare, { url: proxy.url, mode });
      await page.evaluate((sends) => window.say(sends), SENDS);
      for (let round = 1; round <= RETURNS; round++) {
        // What is on its way when the page goes is sent again when it is back.
        await page.evaluate((sends) => void window.say(sends), SENDS);
        await elsewhere(page);
        while ([...proxy.links].some(({ open }) => open)) await sleep(5);
        await back(page);
        const { gone, persisted, shown, opens, closed } = await life(page, ({ gone, opens }) => gone || opens?.length === round + 1);
        if (gone) {
          assert.equal(round, 1, `it was kept before: ${JSON.stringify(gone)}`);
          return { kept: false, times };
        }
        assert.equal(persisted, true);
        // Not by the browser: some close a socket that is still there, others do not keep the page then.
        assert.equal(closed.filter(({ inPagehide, code = 1000 }) => inPagehide && code === 1000).length, round, `closed by the client as the page went: ${JSON.stringify(closed)}`);
        assert.equal(proxy.accepted, round + 1, 'never two links for one');
        times.push((opens.at(-1) - shown) / 1000);
      }
      await page.evaluate((sends) => window.say(sends), SENDS);
      if (mode === 'exactly-once') {
        const count = (RETURNS + 2) * SENDS;
        const { received, lost } = await life(page, ({ received }) => received.length >= count);
        assert.deepEqual([received, lost], [Array.from({ length: count }, (_, n) => n), []]);
      }
      // A close by hand outlives the cache.
      await page.evaluate(() => window.wire.close());
      await elsewhere(page);
      await back(page);
      await life(page, ({ shows }) => shows === RETURNS + 1);
      assert.equal(await page.evaluate(() => window.wire.state), 'closed');
      assert.equal(proxy.accepted, RETURNS + 1);
      return { kept: true, times };
    }

    /** Whether the browser keeps a page that does by hand what the package does. */
    async function keepsBare() {
      const { proxy, page } = await open('best-effort');
      await page.evaluate(async (url) => {
        const socket = new WebSocket(url);
        addEventListener('pagehide', () => socket.close());
        await new Promise((resolve) => (socket.onopen = resolve));
        window.life = {};
      }, proxy.url);
      await elsewhere(page);
      await back(page);
      return !(await life(page, () => true)).gone;
    }

    // Behind the answer to whoever asks, which a page that is gone does not give.
    const back = (page) => page.evaluate(() => void setTimeout(() => history.back(), 20));

    const elsewhere = (page) => page.goto(`${lab.site.origin}/?elsewhere`);

    for (const mode of MODES) {
      test(`${mode}: no link in the cache, one at once when it is back`, { timeout: TIMEOUT }, async (t) => {
        // Its driver loses the answer to about one command in ten that a page is given once it has come out of the cache.
        if (browser.name === 'WebKit' && !process.env.WEBKIT_CACHE) {
          table.note(browser, 'back from the cache', mode, 'n/a: its driver loses answers of such pages');
          return t.skip('its driver loses answers of pages that have come out of the cache; WEBKIT_CACHE=1 tries');
        }
        const seconds = [];
        for (let n = 0; n < PAGES; n++) {
          const { kept, times } = await goAndReturn(mode);
          seconds.push(...times);
          if (kept) continue;
          assert.equal(await keepsBare(), false, 'the page was not kept, and one with a bare socket that is closed in pagehide is');
          table.note(browser, 'back from the cache', mode, 'n/a: it keeps no page that has had a socket');
          return skipped(t, 'it keeps no page that has had a socket');
        }
        const p95 = table.add(browser, 'back from the cache', mode, 1, seconds, 1);
        assert.ok(p95 <= 1, `open ${p95} s after it was shown`);
      });

      test(`${mode}: the network is off for ${OFFLINE_MS / 1000} s; open within 1.5 s of its return`, { timeout: TIMEOUT }, async (t) => {
        const scenario = `off for ${OFFLINE_MS / 1000} s by the browser's switch`;
        const seconds = [];
        for (let n = 0; n < offlines(browser); n++) {
          const { proxy, page } = await open(mode);
          if (!page.setOffline) {
            table.note(browser, scenario, mode, 'n/a: its driver has no switch');
            return skipped(t, 'no switch for the network');
          }
          await page.evaluate(watch, { url: proxy.url, mode, wires: wires(browser) });
          await life(page, ({ opens }) => opens.every((times) => times.length === 1));
          // The switch leaves open sockets alone, which a network does not: dead before the client asks.
          proxy.silence();
          await page.setOffline(true);
          cleanup.push(() => page.setOffline(false));
          await life(page, ({ states }) => states.every((all) => all.includes('offline')));
          // How long it is off is a duration, not an event.
          await sleep(OFFLINE_MS);
          proxy.unsilence();
          await page.setOffline(false);
          const { online, opens } = await life(page, ({ opens }) => opens.every((times) => times.length === 2));
          seconds.push(...opens.map(([, back]) => (back - online) / 1000));
          await cleanup.now();
        }
        const p95 = table.add(browser, scenario, mode, '–', seconds, 1.5);
        assert.ok(p95 <= 1.5, `open ${p95} s after the network came back`);
      });
    }
  });
});

/** In the page: a wire that says what it hears, and a socket that says who closed it. */
async function prepare({ url, mode }) {
  window.life = { persisted: null, shows: 0, shown: 0, opens: [], received: [], lost: [], closed: [] };
  let inPagehide = false;
  const closed = new Set();
  window.WebSocket = class extends WebSocket {
    close(code, reason) {
      if (!closed.has(this)) window.life.closed.push({ code, reason, inPagehide });
      closed.add(this);
      super.close(code, reason);
    }
  };
  const exactly = mode === 'exactly-once';
  const { connect } = await import(exactly ? 'everwire/exactly-once' : 'everwire');
  // Captured before, and told after, all that the package does.
  window.addEventListener('pagehide', () => (inPagehide = true), { capture: true });
  window.addEventListener('pageshow', ({ persisted }) => {
    inPagehide = false;
    Object.assign(window.life, { persisted, shown: performance.now(), shows: window.life.shows + Number(persisted) });
  });
  const wire = connect(url, exactly ? { echo: true } : {});
  wire.addEventListener('open', () => window.life.opens.push(performance.now()));
  wire.addEventListener('undelivered', ({ reason }) => window.life.lost.push(reason));
  const source = exactly ? wire.join('room') : wire;
  source.on('text', ({ content }) => window.life.received.push(content));
  if (exactly) await source.joined;
  let next = 0;
  window.say = (many) => Promise.all(Array.from({ length: many }, () => wire.send('text', next++, { to: 'room' })));
  window.wire = wire;
}

/** In the page: wires that say when they open. */
async function watch({ url, mode, wires }) {
  const { connect } = await import(mode === 'exactly-once' ? 'everwire/exactly-once' : 'everwire');
  window.life = { online: 0, opens: [], states: [] };
  window.addEventListener('online', () => (window.life.online = performance.now()));
  for (let n = 0; n < wires; n++) {
    const wire = connect(url, mode === 'exactly-once' ? {} : { expectReply: true });
    window.life.states[n] = [];
    window.life.opens[n] = [];
    wire.addEventListener('statechange', ({ state }) => window.life.states[n].push(state));
    wire.addEventListener('open', () => window.life.opens[n].push(performance.now()));
  }
}

/** What the page has seen, as soon as it `is` so; `gone` if it was not kept, with the reasons that Chromium gives. */
async function life(page, is) {
  const deadline = Date.now() + 15_000;
  for (;;) {
    // While it navigates there is no page to ask.
    const seen = await page.evaluate(() => {
      if (window.life) return window.life;
      const [{ type, notRestoredReasons }] = performance.getEntriesByType('navigation');
      return location.search === '' && type === 'back_forward' ? { gone: notRestoredReasons ?? true } : null;
    }).catch(() => null);
    if (seen && is(seen)) return seen;
    assert.ok(Date.now() < deadline, `not in time: ${JSON.stringify(seen)}`);
    await sleep(20);
  }
}
