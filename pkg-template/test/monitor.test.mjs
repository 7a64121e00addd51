// stats(), recent() and the logger.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { arrives, facade, opened, turn } from './helpers.mjs';

const SECRET = 'hush-7f3a';
const silent = () => ({ debug() {}, info() {}, warn() {}, error() {} });

test('a new wire has done nothing, and stats are frozen', async () => {
  const { open } = await facade();
  const stats = open().stats();
  assert.deepEqual({ ...stats, reconnects: { ...stats.reconnects } }, {
    state: 'connecting', roundTrip: null, sent: { messages: 0, bytes: 0 }, received: { frames: 0, messages: 0, bytes: 0 }, settled: 0,
    undelivered: 0, links: 0, reconnects: {}, outbox: { messages: 0, bytes: 0, unsettled: 0 }, buffered: 0,
  });
  const frozen = [stats, stats.sent, stats.received, stats.reconnects, stats.outbox];
  assert.ok(frozen.every(Object.isFrozen));
});

test('what is counted', async () => {
  const { wire, core, host, socket } = await opened();
  core.overrides.wire_round_trip = () => 12.5;
  socket.bufferedAmount = 77;
  await wire.send('text', 'é');
  await wire.send('text', 'b');
  core.event(() => host.settled(1));
  arrives(host, '[{"type":"text"},{"type":"text"},{"type":"heartbeat"}]');
  arrives(host, '{"type":"heartbeat"}');
  core.event(() => {
    host.dropped(2, 5);
    host.ended(1, 0, 1006, '', false, 500);
    host.reconnecting(1, 500, 0, 1006);
    host.state(2);
  });
  core.event(() => host.reconnecting(2, 500, 4, 1006));
  core.event(() => host.reconnecting(3, 500, 4, 1006));
  core.overrides.wire_submit = () => 0;
  void wire.send('text', 'waits');
  const { sent, received, ...rest } = wire.stats();
  const [first, second] = socket.sent.map((text) => Buffer.byteLength(text));
  assert.deepEqual(sent, { messages: 2, bytes: first + second });
  assert.deepEqual(received, { frames: 2, messages: 2, bytes: 74 });
  assert.deepEqual(rest, {
    state: 'waiting', roundTrip: 12.5, settled: 1, undelivered: 1, links: 1, reconnects: { lost: 1, 'dial-failed': 2 },
    outbox: { messages: 1, bytes: wire.queuedBytes, unsettled: 0 }, buffered: 0,
  });
});

test('after the end the figures stay, and nothing is asked of the core', async () => {
  const { wire, core } = await opened();
  core.overrides.wire_round_trip = () => 12.5;
  await wire.send('text', 'a');
  await wire.close();
  const { state, roundTrip, sent } = wire.stats();
  assert.deepEqual([state, roundTrip, sent.messages, core.named('wire_round_trip').length], ['closed', null, 1, 0]);
});

test('the last 200 events, oldest first', async () => {
  const { wire, core, host } = await opened();
  assert.deepEqual(wire.recent().map(({ name }) => name), ['statechange', 'open', 'statechange']);
  const before = Date.now();
  for (let attempt = 1; attempt <= 250; attempt++) core.event(() => host.reconnecting(attempt, 10, 4, 1006));
  const recent = wire.recent();
  assert.equal(recent.length, 200);
  assert.deepEqual(recent.map(({ details }) => details.attempt), Array.from({ length: 200 }, (_, at) => at + 51));
  assert.deepEqual(recent[0].details, { attempt: 51, delay: 10, cause: 'dial-failed', code: 1006 });
  assert.ok(recent.every(({ time }) => time >= before && time <= Date.now()));
  assert.ok(recent.every((event) => Object.isFrozen(event) && Object.isFrozen(event.details)));
});

test('a thousand messages that a lost link takes are one event, and do not push out why', async () => {
  const { wire, core, host } = await opened();
  for (let n = 0; n < 1000; n++) void wire.send('text', n);
  core.event(() => {
    for (let ticket = 1; ticket <= 999; ticket++) host.dropped(ticket, 5);
    host.dropped(1000, 6);
    host.ended(1, 2, 1006, '', false, 500);
  });
  assert.deepEqual(wire.recent().slice(3).map(({ name, details }) => [name, details.messages, details.cause]), [
    ['undelivered', 999, 'lost'], ['undelivered', 1, 'in-doubt-overflow'], ['close', undefined, 'no-reply'],
  ]);
  assert.equal(wire.stats().undelivered, 1000);
});

/** Whatever a wire is given that is nobody else's business, everywhere it can be given. */
test('no secret in it: not in recent(), stats() or the log', async () => {
  const lines = [];
  const logger = Object.fromEntries(['debug', 'info', 'warn', 'error'].map((level) => [level, (...args) => lines.push(level, ...args)]));
  const { open, core } = await facade();
  const wire = open(`wss://example.com/${SECRET}`, { sender: SECRET, token: async () => SECRET, protocols: [SECRET + '2'], logger });
  await turn();
  const { host, socket } = core.last;
  socket.readyState = 1;
  wire.on('text', () => { throw new Error(SECRET); });
  wire.addEventListener('error', () => {});
  core.event(() => { host.opened(1, 1); host.state(1); });
  await wire.send('text', { SECRET }, { to: SECRET, id: SECRET, key: SECRET, meta: { [SECRET]: SECRET } });
  arrives(host, JSON.stringify({ type: 'text', id: SECRET, content: SECRET, sender: SECRET }));
  arrives(host, SECRET);
  core.event(() => { host.dropped(1, 5); host.ended(1, 1, 4000, SECRET, true, 500); host.reconnecting(1, 500, 1, 4000); });
  await wire.send(SECRET, () => {}).catch(() => {});
  await wire.close({ reason: SECRET });
  const told = JSON.stringify([lines, wire.recent(), wire.stats()]);
  assert.ok(lines.length >= 10 && told.includes('handler') && told.includes('malformed-frame') && told.includes('undelivered'), told);
  assert.ok(!told.includes(SECRET), told);
});

test('the logger hears of the same, at the level that fits, and never from within the core', async () => {
  const heard = [];
  let inside = false;
  const logger = Object.fromEntries(['debug', 'info', 'warn', 'error'].map((level) => [level, (text, details) => heard.push([level, text, details, inside])]));
  const { wire, core, host } = await opened({ logger });
  core.event(() => {
    inside = true;
    host.ended(1, 0, 1006, '', false, 500);
    host.error(0);
    inside = false;
  });
  await wire.close();
  assert.deepEqual(heard.map(([level, text]) => `${level} ${text}`), [
    'debug everwire: statechange', 'info everwire: open', 'debug everwire: statechange', 'warn everwire: close', 'error everwire: error',
    'debug everwire: statechange', 'debug everwire: statechange', 'info everwire: close',
  ]);
  assert.deepEqual(heard[4][2], { code: 'in-doubt-overflow' });
  assert.ok(heard.every(([, , , within]) => within === false));
});

test('a logger that throws, rejects or changes what it is given harms nothing', async () => {
  const unhandled = [];
  const note = (reason) => unhandled.push(reason);
  process.on('unhandledRejection', note);
  for (const bad of [() => { throw new Error('bad'); }, () => Promise.reject(new Error('bad')), (_, details) => { details.code = 'mine'; }]) {
    const { wire, core, host } = await opened({ logger: { debug: bad, info: bad, warn: bad, error: bad } });
    const got = [];
    wire.on('text', ({ content }) => got.push(content));
    core.event(() => host.error(0));
    arrives(host, '{"type":"text","content":1}');
    await turn();
    assert.deepEqual(got, [1]);
    assert.equal((await wire.send('text', 'a')).level, 'written');
    assert.deepEqual(wire.recent().at(-1).details, { code: 'in-doubt-overflow' });
    await wire.close();
  }
  process.off('unhandledRejection', note);
  assert.deepEqual(unhandled, []);
});

test('without a logger nothing is written anywhere', async () => {
  const saved = { ...console };
  const lines = [];
  for (const level of ['debug', 'info', 'log', 'warn', 'error']) console[level] = (...args) => lines.push(args);
  try {
    const { wire, core, host } = await opened();
    core.event(() => { host.error(0); host.ended(1, 0, 1006, '', false, 500); });
    await wire.close();
  } finally {
    Object.assign(console, saved);
  }
  assert.deepEqual(lines, []);
});

test('a logger may send and close', async () => {
  let wire;
  const logger = { ...silent(), warn: () => void wire.close() };
  const made = await opened({ logger });
  wire = made.wire;
  made.core.event(() => made.host.ended(1, 0, 1006, '', false, 500));
  await turn();
  assert.equal(wire.state, 'closed');
});
