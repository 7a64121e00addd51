// A server for exactly-once delivery: `everwire.v1` (docs/PROTOCOL.md), in memory, one process.
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { WebSocketServer } from 'ws';
import { Engine } from './engine.mjs';
import { FRAME_OCTETS, TICK_MS, accept } from './link.mjs';

const DEFAULTS = {
  host: '127.0.0.1',
  port: 0,
  origins: [], // of the pages that may connect; what is no browser sends none
  authenticate: (token) => token === null && { anonymous: true }, // or { identity, expires } (ms); nothing: refused
  mayJoin: () => true, // (identity, room), or the position from which the identity may read
  onMessage: () => {}, // (message, identity): { refuse: code }, { receiver }, or nothing
  handlers: { echo: (content) => content }, // of requests, by type: (content, identity) → content of the answer
  heartbeat: 25_000, // ms
  window: 10_000, // ms in which clients are asked to come back
  requestTimeout: 30_000, // ms
};

/** Starts the server; resolves once it listens. */
export async function serve(given = {}) {
  const options = { ...DEFAULTS, mayPage: given.mayJoin ?? DEFAULTS.mayJoin, ...given };
  const { host, port, origins } = options;
  const engine = new Engine(), links = new Set();
  const each = (work) => links.forEach((link) => link.guard(() => work(link)));
  const flow = () => each((link) => link.flow((server.due = null)));
  const server = { options, engine, links, grantKey: randomBytes(32), leaving: null, soon: () => (server.due ??= setImmediate(flow)) };
  const wss = new WebSocketServer({
    host, port, maxPayload: FRAME_OCTETS, closeTimeout: 10_000, // [CLOSE-11]
    skipUTF8Validation: true, // `frames.mjs` looks, and says 4002
    handleProtocols: (offered) => offered.has('everwire.v1') && 'everwire.v1',
    verifyClient: ({ origin }, answer) => answer(!origin || origins.includes(origin), 403), // [SEC-3]
  });
  wss.on('connection', (ws, { socket }) => (ws.protocol ? links.add(accept(server, ws, socket)) : ws.close(1002)));
  await new Promise((resolve, reject) => wss.once('listening', resolve).once('error', reject));
  const ticks = setInterval(() => each((link) => link.tick(Date.now())), TICK_MS);
  return {
    url: `ws://${host}:${wss.address().port}`,
    /** Forgets what is stored of a subject so far, and what is older. */
    trim(subject) {
      flow();
      engine.trim(subject);
      flow();
    },
    /** Says `goaway`, serves on for so many ms, finishes what it was given, and stops. */
    async close({ within = 0, window = options.window, reason = 'shutdown' } = {}) {
      server.leaving = window;
      each((link) => link.goaway(`goaway ${within} ${window}\n${JSON.stringify({ reason })}`));
      if (within) await sleep(within + 2_000); // [AWAY-9]
      for (const { running } of engine.records.values()) for (const giveUp of running) giveUp('in-doubt'); // [REQ-15]
      await sleep(0); // the answers go out
      each((link) => link.finish(4000, `window=${window}`));
      while (links.size) await sleep(TICK_MS);
      clearInterval(ticks);
      await new Promise((resolve) => wss.close(resolve));
    },
  };
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const text = { type: 'string' };
  const { values } = parseArgs({ options: { port: text, host: text, origin: { ...text, multiple: true } } });
  const { origin: origins = [], ...rest } = values;
  const server = await serve({ port: 8090, ...rest, origins });
  console.log(server.url);
  process.once('SIGTERM', () => server.close({ within: 5_000 }));
}
