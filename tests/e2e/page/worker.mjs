// Runs in a worker of any kind: a wire that does as it is asked, and what it has seen.
import * as bestEffort from 'everwire';
import * as exactlyOnce from 'everwire/exactly-once';
import init, * as slim from 'everwire/slim';

const DEADLINE_MS = 60_000;
const QUICK = { delayMin: 10, delayMax: 50 };

let wire;
let target; // the wire, or its room
const seen = { opens: 0, received: [], undelivered: 0, errors: [] };
const waiting = new Set();

const commands = {
  async connect({ entry, url, wasm }) {
    if (entry === 'everwire/slim') await init(wasm);
    const { connect } = entry === 'everwire' ? bestEffort : entry === 'everwire/slim' ? slim : exactlyOnce;
    if (entry === 'everwire/exactly-once') {
      wire = connect(url, { echo: true });
      // Its delays are its own.
      wire.addEventListener('reconnecting', () => wire.reconnect());
      target = wire.join('workers');
    } else {
      target = wire = connect(url, { reconnect: QUICK });
    }
    wire.addEventListener('open', () => note(() => seen.opens++));
    wire.addEventListener('undelivered', () => note(() => seen.undelivered++));
    wire.addEventListener('error', ({ error }) => note(() => seen.errors.push(error.code)));
    target.on('text', ({ content }) => note(() => seen.received.push(content)));
    await target.joined;
    return { scope: globalThis.constructor.name, page: typeof document, state: wire.state };
  },
  /** Sends numbers and does not wait for their receipts; `settle` does. */
  async send({ from, count }) {
    for (let at = from; at < from + count; at++) sent.push(target.send('text', at));
  },
  settle: async () => (await Promise.all(sent)).map(({ level }) => level),
  opened: (count) => until(() => seen.opens >= count),
  received: (count) => until(() => seen.received.length >= count),
  report: async () => ({ ...seen, state: wire?.state ?? 'none' }),
  async close() {
    await wire.close();
    return wire.state;
  },
};
const sent = [];

function note(what) {
  what();
  for (const look of waiting) look();
}

function until(condition) {
  return new Promise((resolve, reject) => {
    const look = () => {
      if (!condition()) return;
      clearTimeout(timer);
      waiting.delete(look);
      resolve();
    };
    const timer = setTimeout(() => reject(new Error(`not within ${DEADLINE_MS} ms: ${condition}; ${JSON.stringify(seen)}`)), DEADLINE_MS);
    waiting.add(look);
    look();
  });
}

function answer(event) {
  const { name, argument } = event.data;
  const [port] = event.ports;
  const tell = (reply) => port.postMessage(reply);
  const done = Promise.resolve(argument).then(commands[name]).then((value) => tell({ value }), (error) => tell({ error: `${error}\n${error.stack}` }));
  // A service worker may be stopped as soon as nobody waits for it.
  event.waitUntil?.(done);
}

if ('onconnect' in globalThis) globalThis.onconnect = ({ ports: [port] }) => (port.onmessage = answer);
else globalThis.addEventListener('message', answer);
if ('skipWaiting' in globalThis) globalThis.addEventListener('install', () => globalThis.skipWaiting());
