// exactly-once: messages between the core and the handlers, on a scripted core.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { facade, FakeSocket, turn } from './helpers.mjs';

const made = await facade('exactly-once');

async function opened() {
  const { core } = made;
  Object.assign(core.overrides, { wire_dialled: (wire, _link, socket) => void (wire.socket = socket) });
  const wire = made.open('wss://example.com', { sender: 'me' });
  await turn();
  const { host } = core.last;
  FakeSocket.made.at(-1).readyState = 1;
  core.event(() => {
    host.opened(Float64Array.of(1, 1, 1000, 10, 5, 0, 0), ['me', 'epoch_1']);
    host.state(1);
  });
  const settled = () => core.named('wire_settled').filter(([, handle]) => handle === core.last.handle).map(([, , runs]) => [...runs]);
  return { core, wire, host, settled };
}

const body = (names) => JSON.stringify([...names].map((name) => ({ type: name === '-' ? 'unheard' : 'text', receiver: 'me', id: name, content: name })));

test('each message has its own place and delivery, whatever runs they came in', async () => {
  const { core, wire, host, settled } = await opened();
  const heard = [];
  const ends = new Map();
  wire.on('text', ({ id, s, logEpoch }) => {
    heard.push(`${id} ${s} ${logEpoch}`);
    return id === 'b' ? new Promise((resolve) => ends.set(id, resolve)) : undefined;
  });
  core.event(() => {
    host.inspect(`push 10 40 11 12 13 20 21 30\n${body('ab-cde')}`);
    // All that somebody hears, but one that had come before.
    host.received(Float64Array.of(0, 2, 3, 1, 5, 1));
    host.started(Float64Array.of(7, 11, 2, 9, 20, 1));
    host.started(Float64Array.of(10, 30, 1));
  });
  await turn();
  assert.deepEqual(heard, ['a 11 epoch_1', 'b 12 epoch_1', 'c 20 epoch_1', 'e 30 epoch_1']);
  assert.deepEqual(settled(), [[7, 1, 9, 2]], 'one takes its time');
  assert.equal(wire.stats().received.messages, 4);
  ends.get('b')();
  await turn();
  assert.deepEqual(settled().slice(1), [[8, 1]]);
});

test('handlers that end in any order', async () => {
  const { core, wire, host, settled } = await opened();
  const ends = [];
  wire.on('text', () => new Promise((resolve) => ends.push(resolve)));
  core.event(() => {
    host.inspect(`push 0 4 1 2 3 4\n${body('abcd')}`);
    host.received(Float64Array.of(0, 4));
    host.started(Float64Array.of(1, 1, 4));
  });
  await turn();
  for (const at of [2, 3, 1, 0]) ends[at]();
  await turn();
  assert.deepEqual(settled(), [[3, 2, 2, 1, 1, 1]]);
});
