// The silences of liveness.test.mjs, met by what a user would pick instead: until when a link that has gone silent is replaced.
// They are printed and held to nothing; the test holds the silence to being one.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { inEachBrowser } from './harness/browsers.mjs';
import { cleanups } from './harness/cleanup.mjs';
import { startSteady } from './harness/steady.mjs';
import { show, table } from './harness/table.mjs';
import { startProxy } from './proxy.mjs';

const LONG = !!process.env.EVERWIRE_LONG;
/** Wires measured at once, of each client in each scenario. */
const N = Number(process.env.WIRES ?? (LONG ? 30 : 6));
const PER_SECOND = 10;
const BYTES = { send: 200, feed: 4 };
/** Who is not back by then is printed as `never`: socket.io's defaults give 45 s, and a second for the wait behind it. */
const PATIENCE_MS = LONG ? 120_000 : 47_000;
/**
 * Socket.IO's client waits for a ping that comes every 25 s: when in that time the silence begins makes the difference. In a long run
 * the wires open spread over all of it, so that they are back spread too: browsers hold up a crowd that dials at once. Else it is the
 * silences that are spread, over most of the first 25 s: all are noticed 45 s after they opened, and the run is no longer than that.
 */
const SPREAD_MS = LONG ? { opening: 25_000, silence: 2_000 } : { opening: 0, silence: 18_000 };
/** What was under way when the silence began has arrived by then. */
const UNDER_WAY_MS = 500;
/** Socket.IO's own; the other's are 1 to 5 s for the first and 10 s at the most. */
const DELAYS = { min: 1000, max: 5000, factor: 2 };
const SILENCES = [
  { name: 'silent, sending 10/s', traffic: 'send', silence: {} },
  { name: 'silent and not read, sending 10/s', traffic: 'send', silence: { stall: true } },
  { name: 'silent, receiving 10/s', traffic: 'feed', silence: {} },
];
const CLIENTS = [
  { client: 'reconnecting-websocket', kind: 'ws', silenceMs: 2_000 },
  { client: 'socket.io', kind: 'socket.io', silenceMs: SPREAD_MS.silence },
];

const rows = [];
after(() => {
  if (rows.length === 0) return;
  const legend = 'seconds from the silence until a new link was open; never: not in the time named';
  show('liveness-peers', `${legend}\n\n${table(['browser', 'scenario', 'client', 'bytes', 'n', 'back', 'median s', 'p95 s', 'most s'], rows)}`);
});

inEachBrowser((browser) => {
  // They do the same everywhere, and it takes its time.
  if (browser.name !== 'Chromium' && !LONG) return;
  describe(`the peers' liveness in ${browser.name}`, { timeout: PATIENCE_MS + 120_000 }, () => {
    let lab;
    const cleanup = cleanups();
    before(async () => (lab = await browser.start()));
    after(() => lab?.close());

    /** One client in every scenario, each wire behind a proxy of its own. One page for a client: browsers bound how many sockets it has. */
    async function open({ client, kind, silenceMs }) {
      const wires = [];
      for (const { name, traffic, silence } of SILENCES) {
        const feed = traffic === 'feed' ? { content: 'tick', everyMs: 1000 / PER_SECOND } : null;
        const server = await startSteady({ kind, feed, heard: ({ id }) => wires[id].arrived.push(Date.now()) });
        cleanup.push(() => server.close());
        for (let n = 0; n < N; n++) {
          const proxy = await startProxy({ targetPort: server.port });
          cleanup.push(() => proxy.close());
          const within = (n + 0.5) / N;
          wires.push({ client, scenario: name, traffic, silence, proxy, opensAfter: within * SPREAD_MS.opening, silentAfter: within * silenceMs, arrived: [] });
        }
      }
      const page = await lab.page();
      cleanup.push(() => page.close());
      await page.evaluate(async (options) => {
        const { start } = await import('/page/peers.mjs');
        window.peers = await start(options);
      }, {
        wires: wires.map(({ client, proxy, traffic, opensAfter }) => ({ client, url: proxy.url, sends: traffic === 'send', opensAfter })),
        delays: DELAYS, perSecond: PER_SECOND,
      });
      return { wires, report: () => page.evaluate(() => window.peers.report()) };
    }

    test(`reconnecting-websocket and socket.io, up to ${PATIENCE_MS / 1000} s each`, async () => {
      const opened = await Promise.all(CLIENTS.map(open));
      const wires = opened.flatMap(({ wires }) => wires);
      const report = async () => (await Promise.all(opened.map(({ report }) => report()))).flat();
      // So that each has carried something before its silence.
      await sleep(2_000);
      await Promise.all(wires.map(async (wire) => {
        await sleep(wire.silentAfter);
        wire.proxy.silence(wire.silence);
        wire.proxy.unsilence();
        wire.since = Date.now();
      }));
      const back = ({ opens }, { since }) => opens.find((at) => at >= since);
      let logs;
      let now;
      do {
        await sleep(250);
        logs = await report();
        now = Date.now();
      } while (!wires.every((wire, i) => back(logs[i], wire) || now - wire.since >= PATIENCE_MS));

      for (const [i, wire] of wires.entries()) {
        const { client, scenario, traffic, since, arrived } = wire;
        const carried = traffic === 'send' ? arrived : logs[i].heard;
        const until = back(logs[i], wire) ?? now;
        const what = `${client}, ${scenario}, wire ${i}`;
        assert.ok(carried.some((at) => at < since), `${what}: it carried something before the silence`);
        assert.ok(until - since > UNDER_WAY_MS, `${what}: it was replaced by nothing but the silence`);
        assert.deepEqual(carried.filter((at) => at > since + UNDER_WAY_MS && at < until - UNDER_WAY_MS), [], `${what}: silent is silent`);
        wire.seconds = until < now ? (until - since) / 1000 : Infinity;
      }
      for (const { client } of CLIENTS) {
        for (const { name, traffic } of SILENCES) {
          const sorted = wires.filter((wire) => wire.client === client && wire.scenario === name).map(({ seconds }) => seconds).sort((a, b) => a - b);
          const at = (part) => told(sorted[Math.ceil(sorted.length * part) - 1]);
          rows.push([browser.name, name, client, BYTES[traffic], N, sorted.filter(Number.isFinite).length, at(0.5), at(0.95), at(1)]);
        }
      }
    });
  });
});

function told(seconds) {
  return Number.isFinite(seconds) ? seconds.toFixed(2) : `never in ${PATIENCE_MS / 1000}`;
}
