import assert from 'node:assert/strict';
import { test } from 'node:test';
import { countingSignal, facade, opened, record, turn } from './helpers.mjs';

const failure = (promise) => promise.then(() => assert.fail('resolved'), (error) => error);

test('send: aborted while it waits', async () => {
  const { open, core } = await facade();
  const wire = open();
  await turn();
  const events = record(wire, 'undelivered');
  const { controller, signal, listeners } = countingSignal();
  const promise = wire.send('text', 'x', { signal });
  assert.equal(listeners(), 1);
  const why = new Error('changed my mind');
  controller.abort(why);
  const error = await failure(promise);
  assert.deepEqual([error.code, error.cause], ['aborted', why]);
  assert.deepEqual([events.length, events[0].cause, events[0].reason], [1, 'aborted', 'never-written']);
  assert.equal(listeners(), 0);
  assert.deepEqual([wire.queued, core.last.waiting.length], [0, 0]);
});

test('send: aborted before', async () => {
  const { wire, core } = await opened();
  const events = record(wire, 'undelivered');
  const { controller, signal, listeners } = countingSignal();
  controller.abort();
  const error = await failure(wire.send('text', 'x', { signal }));
  assert.deepEqual([error.code, error.cause.name], ['aborted', 'AbortError']);
  assert.deepEqual([events.length, events[0].cause], [1, 'aborted']);
  assert.deepEqual([listeners(), core.named('wire_submit').length], [0, 0]);
  assert.equal((await failure(wire.send('text', 5n, { signal }))).code, 'content', 'content is checked first');
});

test('send: no listener stays behind, however it ends', async () => {
  const { open, core, wire: openWire } = await opened();
  const { signal, listeners } = countingSignal();
  await openWire.send('text', 'x', { signal });
  assert.equal(listeners(), 0, 'written at once');
  core.overrides.wire_submit = () => 3;
  await failure(openWire.send('text', 'x', { signal }));
  assert.equal(listeners(), 0, 'refused');
  delete core.overrides.wire_submit;

  const wire = open();
  await turn();
  const { host, socket, waiting } = core.last;
  void wire.send('text', 'a', { signal });
  void wire.send('text', 'b', { signal });
  assert.equal(listeners(), 2);
  socket.readyState = 1;
  host.write(socket, waiting[0]);
  assert.equal(listeners(), 1, 'written later');
  host.dropped(waiting[1], 0);
  assert.equal(listeners(), 0, 'dropped');
});

test('send: aborting what is written does nothing', async () => {
  const { wire } = await opened();
  const { controller, signal } = countingSignal();
  const receipt = wire.send('text', 'x', { signal });
  controller.abort();
  assert.equal((await receipt).level, 'written');
});

test('connect: the signal closes at once', async () => {
  const { open, core } = await facade();
  const { controller, signal, listeners } = countingSignal();
  const wire = open('wss://example.com', { signal });
  await turn();
  const events = record(wire, 'close');
  controller.abort();
  await turn();
  assert.deepEqual(core.named('wire_close'), [['wire_close', 1, 1000, '', 0]]);
  assert.deepEqual([wire.state, events.length, listeners()], ['closed', 1, 0]);
});

test('connect: aborted before, nothing is dialled', async () => {
  const { open, core } = await facade();
  const wire = open('wss://example.com', { signal: AbortSignal.abort() });
  const events = record(wire, 'close');
  await turn();
  assert.deepEqual([wire.state, events.length, core.named('wire_connect').length], ['closed', 1, 0]);
});

test('connect: the listener goes when the wire closes', async () => {
  const { open } = await facade();
  const { signal, listeners } = countingSignal();
  const wire = open('wss://example.com', { signal });
  assert.equal(listeners(), 1);
  await wire.close();
  assert.equal(listeners(), 0);
});

test('close: the signal ends the wait', async () => {
  const { open, core } = await facade();
  const wire = open();
  await turn();
  core.overrides.wire_close = ({ host }, code, reason, drainMs) => {
    host.state(4);
    if (drainMs === 0) {
      host.state(5);
      host.ended(1, 10, code, reason, true, -1);
    }
  };
  const { controller, signal, listeners } = countingSignal();
  const closed = wire.close({ code: 4000, reason: 'bye', signal });
  await turn();
  assert.deepEqual([wire.state, listeners()], ['closing', 1]);
  controller.abort();
  await closed;
  assert.deepEqual(core.named('wire_close'), [['wire_close', 1, 4000, 'bye', 5000], ['wire_close', 1, 4000, 'bye', 0]]);
  assert.deepEqual([wire.state, listeners()], ['closed', 0]);
});

test('close: aborted before', async () => {
  const { wire, core } = await opened();
  const { controller, signal, listeners } = countingSignal();
  controller.abort();
  await wire.close({ signal });
  assert.equal(core.named('wire_close')[0].at(-1), 0);
  assert.equal(listeners(), 0);
});
