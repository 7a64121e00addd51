// Reconnecting thousands of times, in the page. Nothing here may grow by itself: no log, only counters.
import { connect } from 'everwire';
import { FakeSocket } from './fake-socket.mjs';
import { VirtualClock } from './virtual-clock.mjs';

let wire;
let clock;
let cycles = 0;
const counts = { open: 0, close: 0, settled: 0, undelivered: 0, errors: 0, written: 0, rejected: 0, received: 0 };

function listen() {
  wire.addEventListener('open', () => (counts.open += 1));
  wire.addEventListener('close', () => (counts.close += 1));
  wire.addEventListener('settled', () => (counts.settled += 1));
  wire.addEventListener('undelivered', () => (counts.undelivered += 1));
  wire.addEventListener('error', () => (counts.errors += 1));
  wire.on('text', () => (counts.received += 1));
}

function send(content) {
  wire.send('text', content).then(
    () => (counts.written += 1),
    () => (counts.rejected += 1),
  );
}

export const figures = () => ({ ...counts, cycles, state: wire.state, queued: wire.queued });

// ---- an injected socket and an injected clock ----

export function startInjected() {
  clock = new VirtualClock().install();
  FakeSocket.keep = 2;
  wire = connect('ws://everwire.invalid/', { WebSocket: FakeSocket, token: async () => `token-${cycles}` });
  listen();
}

async function nextSocket(count) {
  // 60 s cover the longest delay and the providers; it never takes more than one round.
  for (let i = 0; FakeSocket.count < count; i++) {
    if (i > 60) throw new Error(`no socket ${count} after a minute`);
    await clock.advance(1000);
  }
  return FakeSocket.newest;
}

/** `n` links with so many messages each; each link ends in one of the ways in which links end. */
export async function injected(n, messages) {
  for (const end = cycles + n; cycles < end; cycles++) {
    const socket = await nextSocket(cycles + 1);
    const way = cycles % 6;
    if (way === 5) {
      // Never opens: abandoned at the connect timeout, and closed when it opens after all.
      await clock.advance(21_000);
      socket.accept();
      socket.end(1006);
      continue;
    }
    socket.accept();
    socket.receive({ type: 'welcome', message: 'hello' });
    await clock.turn();
    for (let i = 0; i < messages; i++) send(`message ${i} of link ${cycles}`);
    socket.receive({ type: 'text', content: cycles });
    // Some links last long enough to prove stable, so that the backoff starts anew.
    await clock.advance(way === 4 ? 12_000 : 1500);
    if (way === 3) {
      socket.sendError = new Error('dead');
      send('not taken');
    }
    // A frame this late after the writes settles them.
    if (way === 4) socket.receive({ type: 'text', content: cycles });
    if (way === 1) socket.receive(new TextEncoder().encode('{"type":"heartbeat"}').buffer);
    socket.end([1006, 1000, 1001, 1006, 1012][way], '', way !== 0);
    await clock.turn();
  }
}

export async function stopInjected() {
  const closing = wire.close();
  await clock.advance(20_000);
  for (const socket of FakeSocket.made) if (socket.readyState < 3) socket.end(1006);
  await closing;
  return { longestTimer: clock.longest, pendingTimers: clock.pending };
}

/** Handlers that ended sockets still hold, and the listeners that were added and never removed. */
export function socketListeners() {
  const ended = FakeSocket.made.filter((socket) => socket.readyState === 3);
  return ended.map((socket) => socket.listeners + ['open', 'message', 'close', 'error'].filter((name) => socket[`on${name}`]).length);
}

// ---- real sockets ----

/** Sends on every link as soon as it is open; the test's server ends it then. */
export function startReal(url) {
  wire = connect(url, { reconnect: { delayMin: 10, delayMax: 20 } });
  listen();
  wire.addEventListener('open', () => {
    for (let i = 0; i < 3; i++) send(i);
  });
}

export const stopReal = () => wire.close();
