// What acts on a message while it waits: the core does it; here is what it is told, and what the user is.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { facade, record, turn } from './helpers.mjs';

async function waiting(options) {
  const made = await facade();
  const wire = made.open('wss://example.com', options);
  await turn();
  return { ...made, wire };
}

const rejected = (promise) => promise.then(() => assert.fail('resolved'), (error) => error);

test('priority, key and ttl reach the core; a key has a number for as long as anything with it waits', async () => {
  const { wire, core } = await waiting();
  void wire.send('text', 'a');
  void wire.send('text', 'b', { priority: 255, key: 'cursor', ttl: 1 });
  void wire.send('text', 'c', { priority: 0, key: 'other', ttl: 2 ** 53 - 1 });
  void wire.send('text', 'd', { key: 'cursor' });
  const told = core.named('wire_submit').map(([, , , , ...rest]) => rest);
  const [cursor, other] = [told[1][1], told[2][1]];
  assert.deepEqual(told, [[0, -1, -1], [255, cursor, 1], [0, other, 2 ** 53 - 1], [0, cursor, -1]]);
  assert.notEqual(cursor, other);
  core.event(() => core.last.host.dropped(2, 4));
  core.event(() => core.last.host.dropped(4, 0));
  void wire.send('text', 'e', { key: 'cursor' });
  assert.notEqual(core.named('wire_submit').at(-1)[5], cursor, 'nothing of it waited any more');
});

for (const [name, values] of Object.entries({
  priority: [-1, 256, 1.5, NaN, '1', null], ttl: [0, 0.5, -1, 2 ** 53, NaN, '1', null], key: [1, null, {}],
})) {
  test(`${name} out of range: the promise and undelivered say so, and it is not sent`, async () => {
    const { wire, core } = await waiting();
    const events = record(wire, 'undelivered');
    for (const value of values) {
      const error = await rejected(wire.send('text', 'a', { [name]: value }));
      assert.equal(error.code, 'content');
      assert.match(error.cause.message, new RegExp(name));
    }
    assert.deepEqual(events.map(({ reason, cause }) => `${reason} ${cause}`), values.map(() => 'never-written content'));
    assert.equal(core.named('wire_submit').length, 0);
  });
}

test('each way to leave unwritten has its code and its event, with the message', async () => {
  const { wire, core } = await waiting();
  const events = record(wire, 'undelivered');
  const sends = ['closed', 'overflow', 'aborted', 'expired', 'replaced'].map((content) => wire.send('text', content));
  for (let reason = 0; reason < 5; reason++) core.event(() => core.last.host.dropped(reason + 1, reason));
  const codes = (await Promise.all(sends.map(rejected))).map(({ code }) => code);
  assert.deepEqual(codes, ['closed', 'outbox-full', 'aborted', 'expired', 'replaced']);
  assert.deepEqual(events.map(({ reason, cause, message }) => [reason, cause, message.content]), [
    ['never-written', 'closed', 'closed'], ['never-written', 'overflow', 'overflow'], ['never-written', 'aborted', 'aborted'],
    ['never-written', 'expired', 'expired'], ['never-written', 'replaced', 'replaced'],
  ]);
  assert.deepEqual([wire.queued, wire.queuedBytes], [0, 0]);
});
