// What it costs to know that a link is alive: frames and bytes an hour, idle and busy, beside Socket.IO's. Everything that passes
// the proxy is counted, control frames included, so that nobody's watching is cheaper for being done out of sight.
import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { inEachBrowser } from './harness/browsers.mjs';
import { cleanups } from './harness/cleanup.mjs';
import { logFrames } from './harness/frames.mjs';
import { missingPackage, packageDir } from './harness/site.mjs';
import { startSteady } from './harness/steady.mjs';
import { show, table } from './harness/table.mjs';
import { until } from './harness/wait.mjs';
import { startProxy } from './proxy.mjs';
import { servers, startServer } from './servers-under-test.mjs';

const skip = missingPackage();
const { connect } = skip ? {} : await import(path.join(packageDir, 'exactly-once.js'));
const LONG = !!process.env.EVERWIRE_LONG;
/** How many beats of each idle link: the hour is made of whole ones, from the first to the last, so a short run has the figures of a long one. */
const BEATS = LONG ? 20 : 3;
/** The longest beat that any client here has. */
const BEAT_MS = 30_000;
const EVERY_MS = 100;
const BYTES = 200;
/** Of an application's message, and of nothing else. */
const MARK = 'MARK';
const CONTENT = MARK.padEnd(BYTES, 'x');
/** Before a busy link counts: a round trip is known by then, and what opening costs is over. */
const SETTLE_MS = 5_000;
/** What is asked or answered for the sake of knowing alone: control frames, and each protocol's own. */
const isVigilance = ({ control, text }) => control || text === '{"type":"heartbeat"}' || /^p[io]ng \d+$/.test(text) || /^[23]$/.test(text);
const session = servers.find(({ name, missing }) => name === 'everwire-server' && !missing()) ?? servers.at(-1);

// `most`: frames an hour that only watch. A machine that stalls makes fewer beats, never more, but for a question that a stall
// of more than a second provokes: busy links that should ask nothing are allowed what an idle one costs. `beyond`: frames an
// hour that carry no message, where that is more.
const WIRES = [
  // A heartbeat 30 s after the older of the last frame out and in, and its answer. `ws` asks nothing by itself.
  { client: 'everwire', server: 'answers', busy: false, most: 2 * 120 },
  // The node asks 25 s after it last heard anything, before the client would after 30 s, and its `ping` and the `pong` put
  // the client's own off: LIVE-3 and LIVE-6 of docs/PROTOCOL.md.
  { client: 'everwire/exactly-once', server: 'session', busy: false, most: 2 * 144 },
  { client: 'socket.io', server: 'socket.io', busy: false },
  // Only answers settle a message, so there is always an unsettled one: a question in 2 s, and its answer.
  { client: 'everwire', server: 'answers', busy: true, most: 2 * 1_800 },
  // What comes back settles, and tells the round trip.
  { client: 'everwire', server: 'echoes', busy: true, most: 2 * 120 },
  // So do the acknowledgements. They are frames beyond the messages, and no vigilance: they are what makes it exactly once, one
  // each way for what came in one frame, which at this rate is one message.
  { client: 'everwire/exactly-once', server: 'session', busy: true, most: 2 * 144, beyond: 2 * 36_000 },
  { client: 'socket.io', server: 'socket.io', busy: true },
];

const rows = [];
after(() => {
  if (rows.length === 0) return;
  const columns = ['browser', 'client', 'server', 'traffic', 'counted s', 'frames/h', 'bytes/h', 'of them messages', 'frames beyond', 'bytes beyond', 'to watch', 'bound'];
  const legend = `per hour, both ways, from what passed in the time counted; bytes with the headers of WebSocket and without those of TCP; busy: ${1000 / EVERY_MS} messages/s each way, content ${BYTES} bytes`;
  show('vigilance', `${legend}\n\n${table(columns, rows)}`);
});

inEachBrowser((browser) => {
  // It is the same machine that beats everywhere, and the beats take their time.
  if (browser.name !== 'Chromium' && !LONG) return;
  describe(`vigilance in ${browser.name}`, { skip, timeout: BEATS * BEAT_MS + 120_000 }, () => {
    let lab;
    const cleanup = cleanups();
    before(async () => (lab = await browser.start()));
    after(() => lab?.close());

    /** A server of its own for each link, so that nobody's messages pass on another's. */
    async function serve({ server, busy }) {
      if (server !== 'session') {
        const feed = busy && server !== 'echoes' ? { content: CONTENT, everyMs: EVERY_MS } : null;
        const steady = await startSteady({ kind: server === 'socket.io' ? server : 'ws', echo: server === 'echoes', feed });
        cleanup.push(() => steady.close());
        return steady;
      }
      const node = await startServer(session, { origin: lab.site.origin });
      cleanup.push(() => node.close());
      if (busy) {
        const writer = connect(`ws://127.0.0.1:${node.port}${node.path}`, { WebSocket });
        const timer = setInterval(() => void writer.send('text', CONTENT, { to: 'feed' }), EVERY_MS);
        cleanup.push(async () => {
          clearInterval(timer);
          await writer.close({ timeout: 0 });
        });
      }
      return node;
    }

    test('frames and bytes an hour, idle and busy, side by side', async () => {
      const links = [];
      for (const wire of WIRES) {
        const { port, path } = await serve(wire);
        const proxy = await startProxy({ targetPort: port });
        cleanup.push(() => proxy.close());
        links.push({ ...wire, proxy, url: proxy.url + path, frames: logFrames(proxy) });
      }
      const page = await lab.page();
      cleanup.push(() => page.close());
      await page.evaluate(async (options) => {
        const { start } = await import('/page/vigilance.mjs');
        window.vigilance = await start(options);
      }, { wires: links.map(({ client, url, busy }) => ({ client, url, busy })), content: CONTENT, everyMs: EVERY_MS });
      cleanup.push(() => page.evaluate(() => window.vigilance.close()));
      await sleep(SETTLE_MS);
      const began = Date.now();
      for (const { frames, busy } of links) if (!busy) frames.length = 0;

      const deadline = (BEATS + 1) * BEAT_MS;
      await Promise.all(links.filter(({ busy }) => !busy).map(({ client, proxy, frames }) =>
        until(proxy, 'frame', () => questions(frames).length >= BEATS, { deadline, what: `${BEATS} beats of ${client}, idle` })));
      const ended = Date.now();

      const reports = await page.evaluate(() => window.vigilance.report());
      const measured = links.map((link) => ({ ...link, cost: cost(link.frames, ...(link.busy ? [began, ended] : beats(link.frames))) }));
      for (const { client, server, busy, most, cost } of measured) {
        const watching = Math.round(cost.watching);
        rows.push([
          browser.name, client, server, busy ? 'busy' : 'idle', cost.seconds.toFixed(0), ...[cost.frames, cost.bytes, cost.messages, cost.beyond, cost.bytesBeyond].map(Math.round),
          watching, most ?? '–',
        ]);
      }
      for (const [at, { client, server, busy, most, beyond = most, proxy, cost }] of measured.entries()) {
        const name = `${client}, server ${server}, ${busy ? 'busy' : 'idle'}`;
        assert.equal(proxy.accepted, 1, `${name}: one link`);
        // Else the figures would be those of something else.
        const perHour = busy ? (2 * 3_600_000) / EVERY_MS : 0;
        assert.ok(cost.messages >= perHour * 0.9 && cost.messages <= perHour * 1.1, `${name}: ${cost.messages} messages an hour`);
        assert.ok(!busy || reports[at].received > 0 || server === 'echoes', `${name}: heard ${reports[at].received}`);
        if (!busy) assert.ok(cost.watching > 0, `${name}: nobody watched`);
        // Whole beats have no edge, and timers are early by next to nothing; a busy link's exchange may end beyond the time counted.
        const edge = (2 * 3_600) / cost.seconds;
        const bound = (number) => number * 1.01 + (busy ? edge : 0);
        if (most) assert.ok(cost.watching <= bound(most), `${name}: ${cost.watching} frames an hour to watch, where ${most} are the bound`);
        if (most) assert.ok(cost.beyond <= bound(beyond), `${name}: ${cost.beyond} frames an hour beyond the messages, where ${beyond} are the bound`);
        if (most && !busy) assert.equal(cost.frames, cost.watching, `${name}: idle, and nothing but the watch is on the wire`);
      }
      assert.deepEqual(await page.problems(), []);
    });
  });
});

/** What began each exchange of an idle link. */
function questions(frames) {
  const watching = frames.filter(isVigilance);
  return watching.filter(({ way, at }) => way === watching[0].way && at >= watching[0].at);
}

/** From the first of them to the last: whole beats. */
function beats(frames) {
  const asked = questions(frames);
  return [asked[0].at, asked.at(-1).at];
}

/** What passed in the time from `from` up to `to`, an hour. */
function cost(frames, from, to) {
  const counted = frames.filter(({ at }) => at >= from && at < to);
  const beyond = counted.filter(({ text }) => !text.includes(MARK));
  const hourly = (number) => (number * 3_600_000) / (to - from);
  const bytes = (some) => some.reduce((sum, frame) => sum + frame.bytes, 0);
  return {
    seconds: (to - from) / 1000,
    frames: hourly(counted.length),
    bytes: hourly(bytes(counted)),
    messages: hourly(counted.reduce((sum, { text }) => sum + text.split(MARK).length - 1, 0)),
    beyond: hourly(beyond.length),
    bytesBeyond: hourly(bytes(beyond)),
    watching: hourly(counted.filter(isVigilance).length),
  };
}
