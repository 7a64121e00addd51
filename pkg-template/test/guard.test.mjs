import assert from 'node:assert/strict';
import { test } from 'node:test';
import { arrives, facade, FakeSocket, opened, record, turn } from './helpers.mjs';

const trap = () => { throw new WebAssembly.RuntimeError('unreachable'); };
const overflow = () => overflow() + 1;

/** Everything that has to be true of a wire whose instance has died. */
async function assertDead({ wire, core, events, socket, open }, detail = /./) {
  await turn();
  assert.equal(wire.state, 'closed');
  const ends = events.filter(({ type }) => type !== 'undelivered');
  assert.deepEqual(ends.map(({ type }) => type), ['statechange', 'error', 'close']);
  assert.equal(ends[1].error.code, 'core-died');
  assert.match(String(ends[1].error.cause), detail);
  assert.deepEqual([ends[2].cause, ends[2].willRetry, ends[2].wasClean], ['core-died', false, false]);
  if (socket) assert.equal(socket.closed, 1);
  await wire.close();

  const calls = core.calls.length;
  const error = await wire.send('text', 'x').catch((reason) => reason);
  assert.equal(error.code, 'closed');
  wire.reconnect();
  assert.equal(core.calls.length, calls, 'the dead instance is never entered again');

  const fresh = open();
  assert.equal(fresh.state, 'connecting');
  assert.equal(core.instances.length, 2);
  await turn();
  assert.equal(core.last.socket.url, 'wss://example.com/chat');
  await fresh.close();
}

async function living() {
  const made = await opened();
  return { ...made, events: record(made.wire) };
}

for (const [name, fail, detail] of [['a trap', trap, /unreachable/], ['a stack overflow', overflow, /call stack/]]) {
  test(`${name} in a socket or page event`, async () => {
    const made = await living();
    made.core.event(fail);
    assert.equal(made.events.at(-1).type, 'close', 'told before the event returns');
    await assertDead(made, detail);
  });

  for (const entry of ['wire_submit', 'wire_reconnect', 'wire_close']) {
    test(`${name} in an export: ${entry}`, async () => {
      const made = await living();
      made.core.overrides[entry] = fail;
      const results = { wire_submit: () => made.wire.send('text', 'x'), wire_reconnect: () => made.wire.reconnect(), wire_close: () => made.wire.close() };
      const result = results[entry]();
      if (entry === 'wire_submit') assert.equal((await result.catch((error) => error)).code, 'core-died');
      else await result;
      delete made.core.overrides[entry];
      await assertDead(made, detail);
    });
  }

  test(`${name} in a timer, which no guard sees`, async () => {
    const made = await living();
    const seen = [];
    const listeners = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    process.once('uncaughtException', (error) => seen.push(error));
    await new Promise((resolve) => {
      made.wire.addEventListener('close', resolve);
      setTimeout(() => {
        made.core.instances[0].enter();
        fail();
        made.core.instances[0].leave();
      }, 1);
    });
    for (const listener of listeners) process.on('uncaughtException', listener);
    assert.equal(seen.length, 1);
    await assertDead(made, /timer entry/);
  });
}

test('a trap in wire_create or wire_dialled', async () => {
  const made = await facade();
  made.core.overrides.wire_create = trap;
  const wire = made.open();
  assert.equal(wire.state, 'closed');
  const events = record(wire, 'error', 'close');
  await turn();
  assert.deepEqual(events.map(({ type }) => type), ['error', 'close']);
  delete made.core.overrides.wire_create;

  for (const vendor of ['Google Inc.', 'Apple Computer, Inc.']) {
    Object.defineProperty(globalThis, 'navigator', { value: { vendor }, configurable: true });
    made.core.overrides.wire_dialled = trap;
    const second = made.open();
    const socket = await turn().then(() => FakeSocket.made.at(-1));
    assert.equal(second.state, 'closed');
    const atOnce = vendor.startsWith('Apple') ? 0 : 1;
    assert.equal(socket.closed, atOnce, 'in Safari a connecting socket is left alone');
    if (!atOnce) socket.dispatchEvent(new Event('open'));
    assert.equal(socket.closed, 1, 'until it opens');
    delete globalThis.navigator;
  }
});

test('the panic hook: dead at once, and the trap that follows adds nothing', async () => {
  const made = await living();
  made.core.event(() => {
    made.core.instances[0].panicked('panicked at src/driver.rs:1');
    trap();
  });
  await assertDead(made, /panicked at src\/driver\.rs:1/);
});

test('the panic hook alone, whatever entry it died in', async () => {
  const made = await living();
  made.core.instances[0].panicked('somewhere');
  assert.equal(made.wire.state, 'closed');
  assert.equal(made.events.length, 0, 'no user code inside the panic');
  await assertDead(made, /somewhere/);
});

test('a timer entry that ends is no death', async () => {
  const { core, wire } = await living();
  const [instance] = core.instances;
  instance.enter();
  instance.leave();
  await turn();
  assert.equal(wire.state, 'open');
});

test('an export called after a timer entry that never ended does not get in', async () => {
  const made = await living();
  made.core.instances[0].enter();
  const error = await made.wire.send('text', 'x').catch((reason) => reason);
  assert.equal(error.code, 'core-died');
  assert.equal(made.core.named('wire_submit').length, 0);
  made.events.splice(0, made.events.length, ...made.events.filter(({ type }) => type !== 'undelivered'));
  await assertDead(made, /timer entry/);
});

test('what was kept is told: waiting messages never-written, written ones in doubt', async () => {
  const made = await living();
  const { wire, host, core, socket, events } = made;
  const written = await wire.send('text', 1);
  const settled = await wire.send('text', 2);
  host.settled(core.named('wire_submit')[1][2]);
  await turn();
  socket.readyState = 2;
  const waiting = wire.send('text', 3, { id: 'waiting' });
  events.length = 0;
  core.event(trap);
  const error = await waiting.catch((reason) => reason);
  assert.deepEqual([error.code, error.name], ['core-died', 'EverwireError']);
  assert.deepEqual(events.map(({ type }) => type), ['undelivered', 'undelivered', 'statechange', 'error', 'close']);
  assert.deepEqual(events.slice(0, 2).map(({ id, reason, cause }) => [id, reason, cause]), [
    [written.id, 'in-doubt', 'core-died'], ['waiting', 'never-written', 'core-died'],
  ]);
  assert.ok(settled);
  assert.deepEqual([wire.queued, wire.queuedBytes], [0, 0]);
  await assertDead({ ...made, socket: undefined });
});

test('every wire of the instance dies, each once', async () => {
  const { core, open, wire } = await opened();
  const wires = [wire, open(), open()];
  await turn();
  const events = wires.map((each) => record(each, 'error', 'close'));
  core.event(trap);
  core.event(trap);
  await turn();
  for (const [at, each] of wires.entries()) {
    assert.equal(each.state, 'closed');
    assert.deepEqual(events[at].map(({ type }) => type), ['error', 'close']);
  }
});

test('what arrived in the entry that died is still handed out, first', async () => {
  const { core, host, wire } = await opened();
  const order = [];
  wire.on('a', () => order.push('message'));
  wire.addEventListener('close', () => order.push('close'));
  core.overrides.wire_frame = trap;
  arrives(host, '{"type":"a"}');
  assert.deepEqual(order, ['message', 'close']);
});

test('a dead guard lets nothing in, and closes a socket that opens late', async () => {
  const { core } = await living();
  let entered = 0;
  const guarded = core.instances[0].guard(() => entered++);
  guarded(new Event('message'));
  core.event(trap);
  const socket = new FakeSocket();
  socket.addEventListener('open', guarded);
  socket.dispatchEvent(new Event('open'));
  guarded(new Event('message'));
  guarded();
  assert.deepEqual([entered, socket.closed], [1, 1]);
});

test('death during the preparation of a dial: no socket', async () => {
  const { core, open } = await facade();
  let answer;
  open('wss://example.com', { token: () => new Promise((resolve) => (answer = resolve)) });
  await turn();
  FakeSocket.made.length = 0;
  core.event(trap);
  answer('abc');
  await turn();
  assert.equal(FakeSocket.made.length, 0);
});

test('death that nobody listens for is reported to the platform', async () => {
  const { core } = await opened();
  const reported = [];
  globalThis.reportError = (error) => reported.push(error.code);
  core.event(trap);
  await turn();
  delete globalThis.reportError;
  assert.deepEqual(reported, ['core-died']);
});

test('a socket that calls back from within send() does not re-enter the core', async () => {
  const { core, wire, socket } = await opened();
  const order = [];
  const guarded = core.instances[0].guard(() => order.push('event'));
  socket.send = () => {
    guarded(new Event('message'));
    order.push('sent');
  };
  void wire.send('text', 'x');
  assert.deepEqual(order, ['sent']);
  await turn();
  assert.deepEqual(order, ['sent', 'event']);
});

test('an event that was put off does not reach a closure that has been released meanwhile', async () => {
  const { core, wire, socket } = await opened();
  const [instance] = core.instances;
  const reached = [];
  const guarded = instance.guard(() => reached.push('event'));
  socket.send = () => {
    guarded(new Event('message'));
    instance.release(guarded);
  };
  void wire.send('text', 'x');
  await turn();
  guarded(new Event('message'));
  assert.deepEqual([reached, wire.state], [[], 'open']);
});

test('handlers run when no frame of the core is on the stack', async () => {
  const { core, host, wire } = await opened();
  let inside = false;
  const seen = [];
  const check = () => seen.push(inside);
  wire.on('a', check);
  for (const name of ['statechange', 'open', 'close', 'error', 'settled', 'undelivered', 'reconnecting']) wire.addEventListener(name, check);
  const entry = () => {
    inside = true;
    host.error(0);
    host.state(2);
    host.opened(1, 1);
    host.ended(1, 0, 1006, '', false, 1);
    host.reconnecting(1, 1, 0, 0);
    inside = false;
  };
  core.overrides.wire_frame = entry;
  arrives(host, '{"type":"a"}');
  assert.equal(seen.length, 6);
  core.overrides.wire_reconnect = entry;
  wire.reconnect();
  assert.equal(seen.length, 6, 'an export: later');
  await turn();
  assert.equal(seen.length, 11);
  core.instances[0].enter();
  entry();
  core.instances[0].leave();
  assert.equal(seen.length, 11, 'a timer: later');
  await turn();
  assert.equal(seen.length, 16);
  assert.ok(seen.every((was) => was === false));
});

test('no timer is left behind: Node may exit', async () => {
  const { core, wire } = await living();
  assert.deepEqual(process.getActiveResourcesInfo().filter((name) => name === 'Timeout'), []);
  await wire.close();
});

test('a Content-Security-Policy that forbids WebAssembly is a clear error', async () => {
  const { open } = await facade();
  const { Module } = WebAssembly;
  const refused = new WebAssembly.CompileError("Refused to compile: 'wasm-unsafe-eval' is not allowed");
  WebAssembly.Module = function () { throw refused; };
  try {
    assert.throws(() => open(), { name: 'TypeError', code: 'connect', message: /'wasm-unsafe-eval'/, cause: refused });
  } finally {
    WebAssembly.Module = Module;
  }
  assert.equal(open().state, 'connecting', 'and once it is allowed, it works');
});
