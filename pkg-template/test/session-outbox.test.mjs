// exactly-once: the options of the outbox, figures, the last events and the log, on a scripted core.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { facade, FakeSocket, turn } from './helpers.mjs';

const SECRET = 'hush-7f3a';
const made = await facade('exactly-once');
const url = 'wss://example.com';

function config(options) {
  made.open(url, options);
  return made.core.last.config.slice(2);
}

const [HIGH_WATER, OVERFLOW, RATE, BURST] = [5, 8, 10, 11];

test('the policies, the high-water mark and the rate, at their edges', () => {
  assert.deepEqual(['reject', 'drop-oldest', 'drop-newest', 'wait'].map((overflow) => config({ outbox: { overflow } })[OVERFLOW]), [0, 1, 2, 3]);
  assert.throws(() => config({ outbox: { overflow: 'block' } }), /outbox\.overflow/);
  assert.deepEqual(config().slice(RATE, RATE + 2), [0, 1]);
  assert.deepEqual(config({ rateLimit: { perSecond: 0.001 } }).slice(RATE, RATE + 2), [1, 1]);
  assert.deepEqual(config({ rateLimit: { perSecond: 1_000_000, burst: 1_000_000 } }).slice(RATE, RATE + 2), [1_000_000_000, 1_000_000]);
  for (const perSecond of [0.0009, 1_000_001]) assert.throws(() => config({ rateLimit: { perSecond } }), /rateLimit\.perSecond/);
  for (const burst of [0, 1_000_001]) assert.throws(() => config({ rateLimit: { perSecond: 1, burst } }), /rateLimit\.burst/);
  for (const bytes of [16_384, 1_073_741_824]) assert.equal(config({ highWaterBytes: bytes })[HIGH_WATER], bytes);
  for (const bytes of [16_383, 1_073_741_825]) assert.throws(() => config({ highWaterBytes: bytes }), /highWaterBytes/);
  assert.equal(config()[BURST], 1);
  assert.throws(() => config({ logger: {} }), /logger/);
});

test('figures, events and log: what happens is in them, and no secret', async () => {
  const lines = [];
  const logger = Object.fromEntries(['debug', 'info', 'warn', 'error'].map((level) => [level, (...args) => lines.push(level, ...args)]));
  const { core } = made;
  // What this core does with a message: nothing, until the test says so.
  Object.assign(core.overrides, { wire_submit: () => 0, wire_dialled: (wire, _link, socket) => void (wire.socket = socket), wire_round_trip: () => 8 });
  const wire = made.open(`${url}/${SECRET}`, { sender: SECRET, token: SECRET, logger });
  wire.addEventListener('error', () => {});
  await turn();
  const { host } = core.last;
  const socket = FakeSocket.made.at(-1);
  socket.readyState = 1;
  core.event(() => {
    host.opened(Float64Array.of(1, 1, 1000, 10, 5, 0, 0), [SECRET, SECRET]);
    host.state(1);
  });
  const sends = ['a', 'b', 'c'].map((content) => wire.send('text', content + SECRET, { to: SECRET, id: content + SECRET, key: content + SECRET }));
  assert.deepEqual(wire.stats().outbox, { messages: 3, bytes: wire.queuedBytes, unsettled: 0 });
  const bytes = wire.queuedBytes;
  core.event(() => void host.send(socket, 'send 1 2 1\n', Uint32Array.of(1, 2), false));
  core.event(() => void host.send(socket, 'send 1 2 1\n', Uint32Array.of(1, 2), false));
  core.event(() => {
    host.settled(Uint32Array.of(1), true);
    host.exited(2, 2, 1, 0, false, 'forbidden');
    host.exited(3, -1, 2, 3, false, '');
    host.inspect(`push 0 1 1\n[{"type":"text","receiver":"${SECRET}","content":"${SECRET}"}]`);
    host.denied(SECRET, 'forbidden');
    host.lost([SECRET]);
    host.ended(1, 10, 1001, 500, '', SECRET, true);
    host.reconnecting(1, 500, 10, 1001);
    host.notice(4, 1, 2, '');
    host.state(2);
  });
  await Promise.allSettled(sends);
  const { sent, received, outbox, ...rest } = wire.stats();
  assert.ok(sent.messages === 2 && sent.bytes < bytes && sent.bytes > bytes / 2, 'what goes again is not counted again');
  assert.ok(received.frames === 1 && received.bytes > 50, JSON.stringify(received));
  assert.deepEqual(outbox, { messages: 0, bytes: 0, unsettled: 0 });
  assert.deepEqual(rest, { state: 'waiting', roundTrip: 8, settled: 1, undelivered: 2, links: 1, reconnects: { goaway: 1 }, buffered: 0 });
  const names = wire.recent().map(({ name, details }) => `${name} ${details.code ?? details.cause ?? details.state ?? ''}`);
  assert.deepEqual(names, [
    'statechange connecting', 'open ', 'statechange open', 'undelivered refused', 'undelivered expired', 'denied forbidden', 'lost ',
    'close 1001', 'reconnecting 1001', 'error store-stalled', 'statechange waiting',
  ]);
  const told = JSON.stringify([lines, wire.recent(), wire.stats()]);
  assert.equal(lines.length / 3, wire.recent().length);
  assert.ok(!told.includes(SECRET), told);
});

test('a rejected promise that nobody looks at is no unhandled rejection, and one that is looked at late still rejects', async () => {
  const unhandled = [];
  const note = (reason) => unhandled.push(reason);
  process.on('unhandledRejection', note);
  const { core } = made;
  const wire = made.open(url);
  await turn();
  const { host } = core.last;
  const sends = [wire.send('text', 'aborted', { signal: AbortSignal.abort() }), wire.send('text', 1n)];
  const controller = new AbortController();
  sends.push(wire.send('text', 'refused'), wire.send('text', 'given up', { signal: controller.signal }), wire.request('sum', []));
  controller.abort();
  core.event(() => {
    host.exited(3, 3, 1, 0, false, 'forbidden');
    host.exited(5, 5, 1, 0, false, 'forbidden');
  });
  await turn();
  await new Promise((resolve) => setImmediate(resolve));
  process.off('unhandledRejection', note);
  assert.deepEqual(unhandled, []);
  const codes = await Promise.all(sends.map((promise) => promise.then(() => null, ({ code }) => code)));
  assert.deepEqual(codes, ['aborted', 'content', 'refused', 'aborted', 'refused']);
});
