// A server for exactly-once delivery: `everwire.v1` (docs/PROTOCOL.md), in memory, one process.
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { WebSocketServer } from 'ws';
import { Engine } from './engine.mjs';
import { HELLO } from './frames.mjs';
import { Link, TICK_MS } from './link.mjs';

const DEFAULTS = {
  host: '127.0.0.1',
  port: 0,
  origins: [], // of the pages that may connect; what is no browser sends none
  authenticate: (token) => token === null && { anonymous: true }, // or { identity, expires } (ms); nothing: refused
  mayJoin: () => true, // (identity, room), or the position from which the identity may read
  mayPage: null, // the same for a room's history; `mayJoin` if there is none
  onMessage: () => {}, // (message, identity): { refuse: code }, { receiver }, or nothing
  handlers: { echo: (content) => content }, // of requests, by type: (content, identity) → content of the answer
  identities: /^(user|anon)_/, // the form of identities; every other subject is a room
  heartbeat: 25_000, // ms
  window: 10_000, // ms in which clients are asked to come back
  requestTimeout: 30_000, // ms
  message: 1_048_576, // octets of one
  perSecond: 10_000, // messages of a producer, beyond a window of them
  links: 10_000,
  log: { messages: 100_000, octets: 67_108_864, producers: 100_000, producersOfIdentity: 1_000, anonymousProducers: 50_000 },
};

/** Starts the server; resolves once it listens. */
export async function serve(given = {}) {
  const options = { ...DEFAULTS, ...given, log: { ...DEFAULTS.log, ...given.log } };
  options.mayPage ??= options.mayJoin;
  const each = (work) => server.links.forEach((link) => link.guard(() => work(link)));
  const server = {
    options,
    engine: new Engine(options.log),
    links: new Set(),
    running: new Set(), // the ways to give up on requests
    grantKey: randomBytes(32),
    frameLimit: Math.max(options.message, 65_536) + 32_768, // [LIM-3]
    leaving: null, // the window, once the server drains
    pump: () => each((link) => link.pump()),
    pumpSoon: () => (server.soon ??= setImmediate(() => server.pump((server.soon = null)))),
  };
  const wss = new WebSocketServer({
    host: options.host,
    port: options.port,
    maxPayload: Math.max(HELLO, server.frameLimit),
    skipUTF8Validation: true, // `frames.mjs` looks, and says 4002
    closeTimeout: 10_000, // [CLOSE-11]
    handleProtocols: (offered) => offered.has('everwire.v1') && 'everwire.v1',
    verifyClient: ({ origin }, answer) => answer(!origin || options.origins.includes(origin), 403),
  });
  wss.on('connection', (ws) => {
    if (ws.protocol !== 'everwire.v1') ws.close(1002);
    else if (server.links.size >= options.links) ws.close(1013, `window=${options.window}`);
    else server.links.add(new Link(server, ws));
  });
  await new Promise((resolve, reject) => wss.once('listening', resolve).once('error', reject));
  const ticks = setInterval(() => each((link) => link.tick(Date.now())), TICK_MS);
  return {
    url: `ws://${options.host}:${wss.address().port}`,
    /** Forgets what is stored of a subject so far. */
    trim(subject) {
      server.pump();
      server.engine.trim(subject);
      server.pump();
    },
    /** Says `goaway`, serves on for so many ms, finishes what it was given, and stops. */
    async close({ within = 0, window = options.window, reason = 'shutdown' } = {}) {
      server.leaving = window;
      each((link) => link.open && link.write(`goaway ${within} ${window}\n${JSON.stringify({ reason })}`));
      if (within) await sleep(within + 2_000);
      for (const giveUp of server.running) giveUp(Object.assign(new Error('the server stops'), { code: 'in-doubt' }));
      await sleep(0); // the answers go out
      each((link) => link.finish(4000, `window=${window}`));
      while (server.links.size) await sleep(TICK_MS);
      clearInterval(ticks);
      await new Promise((resolve) => wss.close(resolve));
    },
  };
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { values } = parseArgs({
    options: {
      port: { type: 'string', default: '8090' },
      host: { type: 'string', default: '127.0.0.1' },
      origin: { type: 'string', multiple: true, default: [] },
    },
  });
  const server = await serve({ host: values.host, port: Number(values.port), origins: values.origin });
  console.log(server.url);
  process.once('SIGTERM', () => server.close({ within: 5_000 }));
}
