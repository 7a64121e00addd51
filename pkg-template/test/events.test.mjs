import assert from 'node:assert/strict';
import { test } from 'node:test';
import { arrives, opened, record, turn } from './helpers.mjs';

const fields = (event) => Object.fromEntries(Object.entries(event).filter(([name]) => name !== 'isTrusted'));
const comes = (host, data) => arrives(host, typeof data === 'string' ? data : JSON.stringify(data));

test('messages reach the handlers of their type, in order, before the socket event returns', async () => {
  const { wire, host, core } = await opened();
  const seen = [];
  wire.on('a', ({ content }) => seen.push(`a${content}`));
  wire.on('a', ({ content }) => seen.push(`A${content}`));
  wire.on('b', ({ content }) => seen.push(`b${content}`));
  comes(host, [{ type: 'a', content: 1 }, { type: 'b', content: 2 }, { type: 'c' }, { type: 'a', content: 3 }]);
  assert.deepEqual(seen, ['a1', 'A1', 'b2', 'a3', 'A3']);
});

test('types that are names of Object.prototype', async () => {
  const { wire, host, core } = await opened();
  const seen = [];
  comes(host, '{"type":"__proto__"}');
  comes(host, '{"type":"constructor"}');
  for (const type of ['__proto__', 'toString']) wire.on(type, (message) => seen.push(message.type));
  comes(host, '{"type":"__proto__"}');
  comes(host, '{"type":"toString"}');
  assert.deepEqual(seen, ['__proto__', 'toString']);
});

test('heartbeats never reach a handler', async () => {
  const { wire, host, core } = await opened();
  wire.on('heartbeat', () => assert.fail('called'));
  comes(host, { type: 'heartbeat' });
  comes(host, [{ type: 'heartbeat', content: 1 }]);
});

test('unsubscribing, also during dispatch', async () => {
  const { wire, host, core } = await opened();
  const seen = [];
  const fn = () => seen.push('twice');
  const offs = [wire.on('a', fn), wire.on('a', fn)];
  comes(host, { type: 'a' });
  offs[0]();
  offs[0]();
  comes(host, { type: 'a' });
  assert.deepEqual(seen.splice(0), ['twice', 'twice', 'twice']);
  offs[1]();

  const off1 = wire.on('a', () => {
    seen.push(1);
    off1();
    off2();
    wire.on('a', () => seen.push('late'));
  });
  const off2 = wire.on('a', () => seen.push(2));
  wire.on('a', () => seen.push(3));
  comes(host, { type: 'a' });
  assert.deepEqual(seen.splice(0), [1, 3], 'the removed one is not called, the new one not yet');
  comes(host, { type: 'a' });
  assert.deepEqual(seen, [3, 'late']);
});

test('a handler that is no function throws at once', async () => {
  const { wire } = await opened();
  for (const fn of [undefined, null, {}, 'x']) assert.throws(() => wire.on('a', fn), TypeError);
});

test('a handler that throws or rejects: the others run, an error event says so', async () => {
  const { wire, host, core } = await opened();
  const errors = record(wire, 'error');
  const seen = [];
  const [thrown, reason] = [new Error('thrown'), new Error('rejected')];
  wire.on('a', () => { throw thrown; });
  wire.on('a', async () => { throw reason; });
  wire.on('a', () => { throw undefined; });
  wire.on('a', ({ content }) => seen.push(content));
  comes(host, [{ type: 'a', content: 1 }, { type: 'a', content: 2 }]);
  assert.deepEqual(seen, [1, 2]);
  await turn();
  assert.deepEqual(errors.map(({ error }) => error.code), Array(6).fill('handler'));
  assert.deepEqual(new Set(errors.map(({ error }) => error.cause)), new Set([thrown, reason, undefined]));
  assert.equal(wire.state, 'open');
});

test('a failing handler that nobody listens for is reported to the platform', async () => {
  const { wire, host, core } = await opened();
  const reported = [];
  globalThis.reportError = (error) => reported.push(error);
  try {
    const thrown = new Error('thrown');
    wire.on('a', () => { throw thrown; });
    comes(host, { type: 'a' });
    assert.deepEqual(reported, [thrown]);
  } finally {
    delete globalThis.reportError;
  }
});

/** What is reported to the platform while `run` does. */
async function reportedBy(run) {
  const reported = [];
  globalThis.reportError = (error) => reported.push(error);
  try {
    await run();
    await turn();
  } finally {
    delete globalThis.reportError;
  }
  return reported;
}

for (const [how, leave] of Object.entries({
  'been removed': (wire, listener) => {
    wire.addEventListener('error', listener);
    wire.removeEventListener('error', listener);
  },
  'been removed, as an object': (wire, listener) => {
    const object = { handleEvent: listener };
    wire.addEventListener('error', object, true);
    wire.removeEventListener('error', object, { capture: true });
  },
  'left by its signal': (wire, listener) => {
    const controller = new AbortController();
    wire.addEventListener('error', listener, { signal: controller.signal });
    controller.abort();
  },
  'been null': (wire) => wire.addEventListener('error', null),
})) {
  test(`a failing handler is reported to the platform when the error listener has ${how}`, async () => {
    const { wire, host, core } = await opened();
    leave(wire, () => assert.fail('called'));
    const [thrown, reason] = [new Error('thrown'), new Error('rejected')];
    wire.on('a', () => { throw thrown; });
    wire.on('a', async () => { throw reason; });
    assert.deepEqual(await reportedBy(() => comes(host, { type: 'a' })), [thrown, reason]);
  });
}

test('a failing handler is reported to the platform once a { once: true } listener has had its error', async () => {
  const { wire, host, core } = await opened();
  const got = [];
  wire.addEventListener('error', ({ error }) => got.push(error.cause), { once: true });
  wire.on('a', ({ content }) => { throw content; });
  const reported = await reportedBy(() => {
    for (const content of [1, 2, 3]) comes(host, { type: 'a', content });
  });
  assert.deepEqual([got, reported], [[1], [2, 3]]);
});

test('death is reported to the platform when the error listener has been removed', async () => {
  const { core, wire } = await opened();
  const listener = () => assert.fail('called');
  wire.addEventListener('error', listener);
  wire.removeEventListener('error', listener);
  const reported = await reportedBy(() => core.event(() => { throw new Error('trap'); }));
  assert.deepEqual(reported.map(({ code }) => code), ['core-died']);
});

test('whoever listens has got the error, even if it looks at nothing or later', async () => {
  const { wire, host, core } = await opened();
  let calls = 0;
  wire.addEventListener('error', () => calls++);
  wire.on('a', () => { throw new Error('thrown'); });
  assert.deepEqual(await reportedBy(() => comes(host, { type: 'a' })), []);
  assert.equal(calls, 1);
});

test('listeners are told apart as the platform does it: twice is once, capture is another, `this` is the wire', async () => {
  const { wire, host, core } = await opened();
  const seen = [];
  function listener() {
    seen.push(this === wire);
  }
  const object = { handleEvent() { seen.push(this === object); } };
  for (const each of [listener, listener, object, object]) wire.addEventListener('statechange', each);
  wire.addEventListener('statechange', listener, true);
  core.event(() => host.state(2));
  assert.deepEqual(seen.splice(0), [true, true, true]);
  wire.removeEventListener('statechange', listener);
  wire.removeEventListener('statechange', object);
  wire.removeEventListener('statechange', () => {});
  wire.removeEventListener('statechange', null);
  core.event(() => host.state(0));
  assert.deepEqual(seen, [true]);
  assert.throws(() => wire.addEventListener('statechange', 'x'), TypeError);
});

test('malformed and oversized frames are errors, and the connection is kept', async () => {
  const { wire, host, core } = await opened({ maxMessageBytes: 50 });
  const events = record(wire);
  for (const data of ['no json', '{}', '{"type":"a","content":"' + 'x'.repeat(50) + '"}']) comes(host, data);
  assert.deepEqual(events.map(({ type, error }) => [type, error.code]), [
    ['error', 'malformed-frame'], ['error', 'malformed-frame'], ['error', 'too-large'],
  ]);
  assert.equal(wire.state, 'open');
});

test('lifecycle events carry their fields', async () => {
  const { wire, host, core } = await opened();
  const events = record(wire);
  core.event(() => {
    host.ended(1, 0, 1006, '', false, 250);
    host.state(2);
    host.reconnecting(1, 250, 0, 1006);
    host.state(0);
    host.opened(2, 3);
    host.state(1);
    host.error(0);
    host.error(1);
  });
  assert.deepEqual(events.map((event) => [event.type, event.type === 'error' ? event.error.code : fields(event)]), [
    ['close', { code: 1006, reason: '', wasClean: false, cause: 'lost', willRetry: true, retryIn: 250 }],
    ['statechange', { state: 'waiting' }],
    ['reconnecting', { attempt: 1, delay: 250, cause: 'lost', code: 1006 }],
    ['statechange', { state: 'connecting' }],
    ['open', { link: 2, attempts: 3 }],
    ['statechange', { state: 'open' }],
    ['error', 'in-doubt-overflow'],
    ['error', 'reply-unlearned'],
  ]);
  for (const event of events) assert.ok(event instanceof Event);
});

test('retryIn 0 is a retry', async () => {
  const { wire, host, core } = await opened();
  const events = record(wire, 'close');
  core.event(() => host.ended(1, 2, 1006, '', false, 0));
  assert.deepEqual([events[0].willRetry, events[0].retryIn], [true, 0]);
});

/** What is heard, in order, when a frame opens the wire. */
async function heardWith(frame) {
  const { wire, host, core } = await opened();
  const order = [];
  wire.addEventListener('open', () => order.push('open'));
  wire.on('a', () => order.push('message'));
  core.overrides.wire_frame = () => host.opened(2, 1);
  comes(host, frame);
  return order;
}

test('open is announced before the message that proved it', async () => {
  assert.deepEqual(await heardWith({ type: 'a' }), ['open', 'message']);
});

test('a batch may hold as many messages as its bytes allow, behind what happened in the same entry', async () => {
  const order = await heardWith(Array(75_000).fill({ type: 'a' }));
  assert.deepEqual([order.length, order[0], order.at(-1)], [75_001, 'open', 'message']);
});

test('a batch with good and bad elements is an error, and the good ones are handed on', async () => {
  for (const wrong of [5, null, 'x', {}, [], { type: 1 }]) {
    const { wire, host } = await opened();
    const [errors, seen] = [record(wire, 'error'), []];
    wire.on('a', ({ content }) => seen.push(content));
    comes(host, [wrong, { type: 'a', content: 1 }, wrong]);
    assert.deepEqual([errors.map(({ error }) => error.code), seen], [['malformed-frame'], [1]]);
  }
});

test('connect() fires nothing before the caller can listen', async () => {
  const { open, core } = await opened();
  const wire = open();
  const events = record(wire);
  assert.equal(events.length, 0);
  await turn();
  assert.deepEqual(events.map(({ type, state }) => [type, state]), [['statechange', 'connecting']]);
  assert.equal(core.wires.length, 2);
});

test('send() inside a handler is written at once, and its callbacks come after the handler', async () => {
  const { wire, host, core, socket } = await opened();
  const order = [];
  wire.addEventListener('settled', () => order.push('settled'));
  wire.on('a', () => {
    void wire.send('text', 'answer');
    host.settled(core.named('wire_submit')[0][2]);
    order.push('handler');
  });
  comes(host, { type: 'a' });
  assert.equal(socket.sent.length, 1);
  assert.deepEqual(order, ['handler', 'settled']);
});

test('close() in a handler: whoever aborts wants no more of the batch', async () => {
  const { wire, host, core } = await opened();
  const seen = [];
  wire.on('a', ({ content }) => {
    seen.push(content);
    void wire.close({ timeout: 0 });
  });
  comes(host, [{ type: 'a', content: 1 }, { type: 'a', content: 2 }]);
  assert.deepEqual(seen, [1]);
});

test('listeners of the platform: once, signal, handleEvent, removal', async () => {
  const { wire, host, core } = await opened();
  const seen = [];
  const controller = new AbortController();
  const removed = () => seen.push('removed');
  wire.addEventListener('statechange', () => seen.push('once'), { once: true });
  wire.addEventListener('statechange', () => seen.push('signal'), { signal: controller.signal });
  wire.addEventListener('statechange', { handleEvent: () => seen.push('object') });
  wire.addEventListener('statechange', removed);
  wire.removeEventListener('statechange', removed);
  core.event(() => host.state(2));
  controller.abort();
  core.event(() => host.state(0));
  assert.deepEqual(seen, ['once', 'signal', 'object', 'object']);
});

test('no event is made for nobody', async () => {
  const { wire, host, core } = await opened();
  let made = 0;
  const Native = globalThis.Event;
  globalThis.Event = class extends Native {
    constructor(...args) {
      super(...args);
      made++;
    }
  };
  try {
    for (let n = 0; n < 10; n++) {
      void wire.send('text', n);
      host.settled(core.named('wire_submit')[n][2]);
    }
    await turn();
    assert.equal(made, 0);
  } finally {
    globalThis.Event = Native;
  }
});
