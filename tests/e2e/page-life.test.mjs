// What a page goes through: the back/forward cache, in which it must not have a link and after which it has one at once; the
// browser's own offline switch.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { chromium } from 'playwright-core';
import { serve } from '../../examples/node-session-server/server.mjs';
import { startServer as startEcho } from '../../examples/node-server/server.mjs';
import { missingPackage, startSite } from './harness/site.mjs';
import { startProxy } from './proxy.mjs';

const skip = missingPackage();
const SENDS = 20;
const OFFLINE_MS = process.env.EVERWIRE_LONG ? 20_000 : 6_000;

// Chromium alone: WebDriver has neither a switch for the network nor a way to tell that a page was kept.
describe('the life of a page', { skip, timeout: 120_000 }, () => {
  let site;
  let browser;
  before(async () => {
    site = await startSite();
    browser = await chromium.launch({
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      args: ['--no-sandbox', '--disable-gpu'],
      // Playwright turns the cache off.
      ignoreDefaultArgs: ['--disable-back-forward-cache'],
    });
  });
  after(async () => {
    await browser?.close();
    await site?.close();
  });

  for (const mode of ['exactly-once', 'best-effort']) {
    test(`${mode}: no link inside, one at once when it is back`, async () => {
      const server = mode === 'exactly-once' ? await serve({ origins: [site.origin] }) : await startEcho();
      const proxy = await startProxy({ targetPort: Number(new URL(server.url).port) });
      const page = await browser.newPage();
      try {
        await page.goto(`${site.origin}/`);
        await page.evaluate(async ({ url, mode, sends }) => {
          const exactly = mode === 'exactly-once';
          const { connect } = await import(exactly ? 'everwire/exactly-once' : 'everwire');
          const wire = connect(url, exactly ? { echo: true } : {});
          window.life = { persisted: null, shown: 0, opens: [], received: [], lost: [] };
          window.addEventListener('pageshow', ({ persisted }) => Object.assign(window.life, { persisted, shown: performance.now() }));
          wire.addEventListener('open', () => window.life.opens.push(performance.now()));
          wire.addEventListener('undelivered', ({ reason }) => window.life.lost.push(reason));
          const source = exactly ? wire.join('room') : wire;
          source.on('text', ({ content }) => window.life.received.push(content));
          if (exactly) await source.joined;
          window.say = (from) => Promise.all(Array.from({ length: sends }, (_, n) => wire.send('text', from + n, { to: 'room' })));
          window.wire = wire;
          await window.say(0);
        }, { url: proxy.url, mode, sends: SENDS });
        // What is on its way when the page goes is sent again when it is back.
        await page.evaluate((sends) => void window.say(sends), SENDS);
        await page.goto(`${site.origin}/?elsewhere`);
        assert.equal([...proxy.links].filter(({ open }) => open).length <= 1, true);
        // It waits for a load that never comes.
        await page.goBack({ timeout: 1_500 }).catch(() => {});
        const { persisted, shown, opens } = await life(page, ({ opens }) => opens.length === 2);
        assert.equal(persisted, true, 'the page was not kept: this test has shown nothing');
        assert.ok(opens[1] - shown <= 1_000, `open ${opens[1] - shown} ms after it was shown`);
        await page.evaluate((sends) => window.say(2 * sends), SENDS);
        if (mode === 'exactly-once') {
          const { received, lost } = await life(page, ({ received }) => received.length >= 3 * SENDS);
          assert.deepEqual([received, lost], [Array.from({ length: 3 * SENDS }, (_, n) => n), []]);
        }
        assert.equal(proxy.accepted, 2, 'never two links for one');
      } finally {
        await page.close();
        await proxy.close();
        await server.close();
      }
    });
  }

  for (const mode of ['exactly-once', 'best-effort']) {
    test(`${mode}: the network is off for ${OFFLINE_MS / 1000} s; open within 1.5 s of its return`, async () => {
      const server = mode === 'exactly-once' ? await serve({ origins: [site.origin] }) : await startEcho();
      const proxy = await startProxy({ targetPort: Number(new URL(server.url).port) });
      const context = await browser.newContext();
      const page = await context.newPage();
      try {
        await page.goto(`${site.origin}/`);
        await page.evaluate(async ({ url, mode }) => {
          const { connect } = await import(mode === 'exactly-once' ? 'everwire/exactly-once' : 'everwire');
          const wire = connect(url, mode === 'exactly-once' ? {} : { expectReply: true });
          window.life = { online: 0, opens: [], states: [] };
          window.addEventListener('online', () => (window.life.online = performance.now()));
          wire.addEventListener('statechange', ({ state }) => window.life.states.push(state));
          wire.addEventListener('open', () => window.life.opens.push(performance.now()));
        }, { url: proxy.url, mode });
        await life(page, ({ opens }) => opens.length === 1);
        // The switch leaves open sockets alone, which a network does not.
        await context.setOffline(true);
        proxy.silence();
        await life(page, ({ states }) => states.includes('offline'));
        // How long it is off is a duration, not an event.
        await new Promise((resolve) => setTimeout(resolve, OFFLINE_MS));
        proxy.unsilence();
        await context.setOffline(false);
        const { online, opens, states } = await life(page, ({ opens }) => opens.length === 2);
        console.log(`${mode}: open ${Math.round(opens[1] - online)} ms after the network came back`);
        assert.ok(opens[1] - online <= 1_500, `open ${opens[1] - online} ms after the network came back: ${states}`);
      } finally {
        await context.close();
        await proxy.close();
        await server.close();
      }
    });
  }
});

/** What the page has seen, as soon as it `is` so. Playwright's own waiting does not follow a page out of the cache. */
async function life(page, is) {
  const deadline = Date.now() + 10_000;
  for (;;) {
    // While it navigates there is no page to ask.
    const seen = await page.evaluate(() => window.life ?? { opens: [], received: [], notRestored: performance.getEntriesByType('navigation')[0].notRestoredReasons }).catch(() => null);
    if (seen && is(seen)) return seen;
    assert.ok(Date.now() < deadline, `not in time: ${JSON.stringify(seen)}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
