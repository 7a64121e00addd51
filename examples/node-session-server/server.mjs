// A server for exactly-once delivery: `everwire.v1` (docs/PROTOCOL.md), in memory, one process.
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { WebSocketServer } from 'ws';
import { Engine } from './engine.mjs';
import { FRAME, TICK_MS, accept } from './link.mjs';

const DEFAULTS = { // README.md says what they are
  host: '127.0.0.1', port: 0, origins: [], heartbeat: 25_000, window: 10_000, requestTimeout: 30_000,
  authenticate: (token) => token === null && { anonymous: true },
  mayJoin: () => true, onMessage: () => {}, handlers: { echo: (content) => content },
};

/** Starts the server; resolves once it listens. */
export async function serve(given = {}) {
  const options = { ...DEFAULTS, ...given }, { host, port, origins } = options;
  options.mayPage ??= options.mayJoin;
  const engine = new Engine(), links = new Set(), server = { options, engine, links, key: randomBytes(32) };
  const each = (work) => links.forEach((link) => link.guard(() => work(link)));
  const flow = () => { server.due = null; each((link) => link.flow()); };
  server.soon = () => (server.due ??= setImmediate(flow)); // one `ack` and one `push` for what has come together
  const wss = new WebSocketServer({
    host, port, maxPayload: FRAME, closeTimeout: 10_000, skipUTF8Validation: true, // [CLOSE-11]; frames.mjs looks
    handleProtocols: (offered) => offered.has('everwire.v1') && 'everwire.v1',
    verifyClient: ({ origin }, answer) => answer(!origin || origins.includes(origin), 403), // [SEC-3]
  });
  wss.on('connection', (ws, { socket }) => (ws.protocol ? links.add(accept(server, ws, socket)) : ws.close(1002)));
  await new Promise((resolve, reject) => wss.once('listening', resolve).once('error', reject));
  const ticks = setInterval(() => each((link) => link.tick(Date.now())), TICK_MS);
  return {
    url: `ws://${host}:${wss.address().port}`,
    /** Forgets what is stored of a subject, and what is older. */
    trim(subject) {
      flow();
      engine.discard([...engine.log.values()].findLast((message) => message.subject === subject)?.s ?? 0);
      flow();
    },
    /** Says `goaway`, serves on for so many ms, finishes what it was given, and stops. */
    async close({ within = 0, window = options.window, reason = 'shutdown' } = {}) {
      server.leaving = window;
      each((link) => link.say(`goaway ${within} ${window}\n${JSON.stringify({ reason })}`));
      if (within) await sleep(within + 2_000); // [AWAY-9]
      for (const { running } of engine.records.values()) for (const giveUp of running) giveUp('in-doubt'); // [REQ-15]
      await sleep(0); // the answers go out
      each((link) => link.finish(4000, `window=${window}`));
      while (links.size) await sleep(TICK_MS);
      clearInterval(ticks); await new Promise((resolve) => wss.close(resolve));
    },
  };
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const text = { type: 'string' }, known = { port: text, host: text, origin: { ...text, multiple: true } };
  const { values } = parseArgs({ options: known });
  const server = await serve({ port: 8090, ...values, origins: values.origin ?? [] });
  console.log(server.url); process.once('SIGTERM', () => server.close({ within: 5_000 }));
}
