import assert from 'node:assert/strict';
import { test } from 'node:test';
import { facade, opened, record, turn } from './helpers.mjs';

test('code, reason and time to drain reach the core', async () => {
  const { wire, core } = await opened({ closeTimeout: 7000 });
  const closed = wire.close();
  assert.deepEqual(core.named('wire_close'), [['wire_close', 1, 1000, '', 7000]]);
  assert.equal(await closed, undefined);
  const second = await opened();
  await second.wire.close({ code: 4999, reason: 'bye', timeout: 0 });
  assert.deepEqual(second.core.named('wire_close'), [['wire_close', 1, 4999, 'bye', 0]]);
});

test('a reason over 123 UTF-8 bytes is cut between characters', async () => {
  for (const [reason, expected] of [
    ['x'.repeat(123), 'x'.repeat(123)], ['x'.repeat(124), 'x'.repeat(123)], ['é'.repeat(100), 'é'.repeat(61)],
    ['x' + 'é'.repeat(61), 'x' + 'é'.repeat(61)], ['€'.repeat(42), '€'.repeat(41)], ['🙂'.repeat(31), '🙂'.repeat(30)],
  ]) {
    const { wire, core } = await opened();
    await wire.close({ reason });
    const sent = core.named('wire_close')[0][3];
    assert.equal(sent, expected);
    assert.ok(Buffer.byteLength(sent) <= 123);
  }
});

test('arguments out of range throw at once, and nothing is closed', async () => {
  const { wire, core } = await opened();
  for (const code of [999, 1001, 1005, 1006, 1015, 2999, 5000, 3000.5, NaN, '1000', null]) {
    assert.throws(() => wire.close({ code }), { name: 'TypeError', message: /code must be 1000 or 3000 – 4999/ });
  }
  for (const timeout of [-1, 60_001, NaN, '5', null, Infinity]) assert.throws(() => wire.close({ timeout }), { name: 'TypeError', message: /timeout/ });
  for (const reason of [5, null, {}]) assert.throws(() => wire.close({ reason }), { name: 'TypeError', message: /reason/ });
  for (const signal of [{}, 'x', { addEventListener() {} }]) assert.throws(() => wire.close({ signal }), { name: 'TypeError', message: /signal/ });
  assert.deepEqual([core.named('wire_close').length, wire.state], [0, 'open']);
  await wire.send('text', 'still open');
  for (const code of [1000, 3000, 4999]) void wire.close({ code });
});

test('no options by any name', async () => {
  for (const options of [undefined, null, {}, { signal: null }]) {
    const { wire, core } = await opened();
    await wire.close(options);
    assert.deepEqual(core.named('wire_close'), [['wire_close', 1, 1000, '', 5000]]);
  }
});

test('several calls resolve together; after the end it is a no-op', async () => {
  const { wire, core } = await opened();
  await Promise.all([wire.close(), wire.close()]);
  const calls = core.calls.length;
  await wire.close();
  wire.reconnect();
  assert.equal(core.calls.length, calls);
});

test('the end: last events, then the promise, then the handle is freed', async () => {
  const { open, core } = await facade();
  const wire = open();
  await turn();
  const order = [];
  for (const event of ['statechange', 'undelivered', 'close']) wire.addEventListener(event, () => order.push(event));
  void wire.send('text', 'x');
  await wire.close().then(() => order.push('resolved'));
  assert.deepEqual(order, ['statechange', 'undelivered', 'statechange', 'close', 'resolved']);
  assert.deepEqual(core.calls.at(-1), ['wire_free', 1]);
});

test('close() while the dial is being prepared', async () => {
  const { open } = await facade();
  const wire = open();
  await wire.close();
  assert.equal(wire.state, 'closed');
});

test('await using', async () => {
  const { wire } = await opened();
  await wire[Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose')]();
  assert.equal(wire.state, 'closed');
});

test('reconnect() reaches the core', async () => {
  const { wire, core } = await opened();
  wire.reconnect();
  assert.deepEqual(core.named('wire_reconnect'), [['wire_reconnect', 1]]);
});

test('the wire closes by itself: auth-refused and max-attempts are errors too', async () => {
  for (const [cause, name] of [[11, 'auth-refused'], [12, 'max-attempts']]) {
    const { wire, host, core } = await opened();
    const events = record(wire, 'error', 'close');
    core.event(() => {
      host.state(5);
      host.ended(3, cause, 1008, 'no', true, -1);
    });
    assert.deepEqual(events.map(({ type }) => type), ['error', 'close']);
    assert.equal(events[0].error.code, name);
    assert.deepEqual([events[1].cause, events[1].willRetry, events[1].retryIn, events[1].code], [name, false, null, 1008]);
    await wire.close();
  }
});
