// It knows within seconds: how long until a link that has gone silent is replaced by one that is proved, in each browser. The
// bounds are the design's (docs/DESIGN.md); what is measured goes into a table at the end.
import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { serve as startPatient } from '../../examples/node-session-server/server.mjs';
import { inEachBrowser } from './harness/browsers.mjs';
import { cleanups } from './harness/cleanup.mjs';
import { measures } from './harness/measured.mjs';
import { family } from './harness/programs.mjs';
import { missingPackage, packageDir } from './harness/site.mjs';
import { startSteady } from './harness/steady.mjs';
import { startProxy } from './proxy.mjs';
import { servers, startServer } from './servers-under-test.mjs';

const skip = missingPackage();
const { connect } = skip ? {} : await import(path.join(packageDir, 'exactly-once.js'));
const LONG = !!process.env.EVERWIRE_LONG;
/** Wires measured at once: more dials than that are spread over seconds by Chromium. */
const WIRES = 6;
const ROUNDS = LONG ? 5 : 1;
const FEED_MS = 100;
const TIMEOUT = 300_000;
/** What a table calls it, how it is silenced, what it does, within how many seconds 95 of 100 are back; `long`: by default in one browser. */
const SILENCES = [
  { name: 'silent, sending 10/s', traffic: 'send', silence: {}, within: 3.5 },
  { name: 'silent and not read, sending 10/s', traffic: 'send', silence: { stall: true }, within: 3.5, long: true },
  { name: 'silent, receiving 10/s', traffic: 'feed', silence: {}, within: 5 },
  { name: 'silent, idle', traffic: 'idle', silence: {}, within: 40, long: true },
];
const MODES = ['exactly-once', 'best-effort'];
const session = servers.find(({ name, missing }) => name === 'everwire-server' && !missing()) ?? servers.at(-1);

const { add: measured, note } = measures('liveness');

inEachBrowser((browser) => {
  describe(`liveness in ${browser.name}`, { skip, timeout: 4 * ROUNDS * TIMEOUT }, () => {
    /** Elsewhere it is the same machine that waits: by default only what differs by the browser. */
    const whole = LONG || browser.name === 'Chromium';
    let lab;
    let page;
    const cleanup = cleanups();
    before(async () => (lab = await browser.start()));
    after(() => lab?.close());

    /** Seconds of as many rounds as there are, each with wires of its own. */
    async function rounds(round) {
      const seconds = [];
      for (let n = 0; n < ROUNDS; n++) {
        seconds.push(...(await round()));
        await cleanup.now();
      }
      return seconds;
    }

    async function serve(mode, traffic, patient) {
      if (mode === 'best-effort') {
        const plain = await startSteady({ kind: 'ws', feed: traffic === 'feed' ? { content: 'tick', everyMs: FEED_MS } : null });
        cleanup.push(() => plain.close());
        return plain;
      }
      if (patient) {
        // Asks after 5 minutes of silence; the others end a link that has not answered for 45 s, as they must.
        const server = await startPatient({ origins: [lab.site.origin], heartbeat: 300_000 });
        cleanup.push(() => server.close());
        return { port: Number(new URL(server.url).port), path: '' };
      }
      const server = await startServer(session, { origin: lab.site.origin });
      cleanup.push(() => server.close());
      if (traffic === 'feed') {
        const writer = connect(`ws://127.0.0.1:${server.port}${server.path}`, { WebSocket });
        const timer = setInterval(() => void writer.send('text', 'tick', { to: 'feed' }), FEED_MS);
        cleanup.push(async () => {
          clearInterval(timer);
          await writer.close({ timeout: 0 });
        });
      }
      return server;
    }

    /** `count` wires of a page, each behind a proxy of its own. */
    async function open({ mode, traffic, count, patient }) {
      const server = await serve(mode, traffic, patient);
      const proxies = [];
      for (let n = 0; n < count; n++) {
        const proxy = await startProxy({ targetPort: server.port });
        cleanup.push(() => proxy.close());
        proxies.push(proxy);
      }
      page = await lab.page();
      cleanup.push(() => page.close());
      const urls = proxies.map(({ url }) => url + server.path);
      await page.evaluate(async (options) => {
        const { start } = await import('/page/liveness.mjs');
        window.wires = await start(options);
      }, { mode, traffic, urls, perSecond: 10 });
      cleanup.push(() => page.evaluate(() => window.wires.close()));
      return { proxies, server };
    }

    const report = () => page.evaluate(() => window.wires.report());

    /** Seconds from `since[i]` to the next opening of wire i; no wire may have had more than one more link. */
    async function reopened(since, bound) {
      const deadline = Date.now() + (bound + 30) * 1000;
      for (;;) {
        const logs = await report();
        const next = logs.map(({ opens }, i) => opens.find((at) => at >= since[i]));
        if (next.every((at) => at)) {
          assert.ok(logs.every(({ opens }) => opens.length === 2), `one new link each: ${JSON.stringify(logs.map(({ opens }) => opens.length))}`);
          return next.map((at, i) => (at - since[i]) / 1000);
        }
        assert.ok(Date.now() < deadline, `not back in time: ${JSON.stringify(logs)}`);
        await sleep(50);
      }
    }

    for (const { name, traffic, silence, within, long } of SILENCES) {
      if (!whole && long) continue;
      for (const mode of MODES) {
        test(`${name}, ${mode}: replaced within ${within} s`, { timeout: ROUNDS * TIMEOUT }, async () => {
          const seconds = await rounds(async () => {
            const { proxies } = await open({ mode, traffic, count: WIRES });
            // So that a round trip is known; a feed has a rhythm after 16 arrivals, none of which counts within 250 ms of another.
            await sleep(traffic === 'feed' ? 6_000 : 2_500);
            const since = [];
            for (const proxy of proxies) {
              proxy.silence(silence);
              proxy.unsilence();
              since.push(Date.now());
              // Spread over the beat of the traffic.
              await sleep(37);
            }
            const times = await reopened(since, within);
            const logs = await report();
            assert.ok(logs.every(({ closes }) => closes.length === 1 && closes[0].cause === 'no-reply'), JSON.stringify(logs.map(({ closes }) => closes)));
            return times;
          });
          const p95 = measured(browser, name, mode, traffic === 'send' ? 200 : 4, seconds, within);
          assert.ok(p95 <= within, `p95 ${p95} s`);
        });
      }
    }

    for (const mode of whole ? MODES : []) {
      test(`an outage of 3 s, ${mode}: back within the wait that runs and a second`, { timeout: ROUNDS * TIMEOUT }, async () => {
        const seconds = await rounds(async () => {
          const { proxies } = await open({ mode, traffic: 'idle', count: WIRES });
          await Promise.all(proxies.map((proxy) => proxy.down()));
          await sleep(3_000);
          await Promise.all(proxies.map((proxy) => proxy.up()));
          const up = Date.now();
          await reopened(proxies.map(() => up), 30);
          // Behind the wait that ran when the network came back: the last dial before the link that opened.
          return (await report()).map(({ opens: [, open], dials }) => (open - Math.max(up, ...dials.filter((at) => at <= open))) / 1000);
        });
        const p95 = measured(browser, 'an outage of 3 s, behind the wait that ran', mode, '–', seconds, 1);
        assert.ok(p95 <= 1, `p95 ${p95} s`);
      });
    }

    for (const [bytes, rate] of [...(whole ? [[256 * 1024, 50_000]] : []), ...(LONG ? [[1024 * 1024, 200_000]] : [])]) {
      test(`${bytes / 1024} KiB over ${rate / 1000} kB/s both ways, with traffic beside: on the first link`, { timeout: TIMEOUT }, async () => {
        const server = await serve('exactly-once', 'none');
        const proxy = await startProxy({ targetPort: server.port, bytesPerSecond: rate });
        cleanup.push(() => proxy.close());
        const writer = connect(`ws://127.0.0.1:${server.port}${server.path}`, { WebSocket });
        cleanup.push(() => writer.close({ timeout: 0 }));
        const count = 2;
        page = await lab.page({
          hear: (said) => {
            if (said !== 'joined') return;
            for (let n = 0; n < count; n++) void writer.send('long', 'z'.repeat(bytes - 1024), { to: 'slow' });
          },
        });
        cleanup.push(() => page.close());
        const began = Date.now();
        const closes = await page.evaluate(async (options) => {
          const { slow } = await import('/page/liveness.mjs');
          return slow(options);
        }, { url: proxy.url + server.path, room: 'slow', bytes: bytes - 1024, count });
        measured(browser, `${bytes / 1024} KiB over ${rate / 1000} kB/s`, 'exactly-once', bytes, [(Date.now() - began) / 1000], '–');
        assert.equal(proxy.accepted, 1, `links: ${closes}`);
      });
    }

    // The process is stopped as a laptop that is shut stops it.
    for (const [what, cut] of [['dropped by the server meanwhile', true], ['alive', false]]) {
      for (const mode of MODES) {
        const stopped = LONG ? 90 : 12;
        test(`the browser stopped for ${stopped} s, link ${what}, ${mode}`, { timeout: TIMEOUT }, async () => {
          const { proxies } = await open({ mode, traffic: 'idle', count: 1, patient: !cut });
          const stoppedAll = family(page.pid);
          cleanup.push(() => stoppedAll.forEach((pid) => signal(pid, 'SIGCONT')));
          stoppedAll.forEach((pid) => signal(pid, 'SIGSTOP'));
          await sleep(stopped * 500);
          if (cut) proxies[0].resetAll();
          await sleep(stopped * 500);
          stoppedAll.toReversed().forEach((pid) => signal(pid, 'SIGCONT'));
          if (cut) {
            // The first turn is not before the signal.
            const seconds = await reopened([Date.now()], 2);
            const p95 = measured(browser, `stopped ${stopped} s, link gone`, mode, '–', seconds, 2);
            assert.ok(p95 <= 2, `${p95} s`);
          } else {
            // Longer than the deadline of any probe on a link as short as this.
            await sleep(5_000);
            const [log] = await report();
            assert.deepEqual([log.opens.length, log.closes], [1, []], 'no false alarm');
            note(browser, `stopped ${stopped} s, link alive`, mode, 'kept', { n: 1 });
          }
        });
      }
    }
  });
});

function signal(pid, name) {
  try {
    process.kill(pid, name);
  } catch {
    // It has ended by itself.
  }
}
