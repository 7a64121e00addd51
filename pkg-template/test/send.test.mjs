import assert from 'node:assert/strict';
import { test } from 'node:test';
import { arrives, facade, opened, record, turn } from './helpers.mjs';

/** Whatever no handler takes fails the run. */
const unhandled = [];
process.on('unhandledRejection', (reason) => unhandled.push(reason));

const fields = (event) => Object.fromEntries(Object.entries(event).filter(([name]) => name !== 'isTrusted'));

async function rejected(promise) {
  return promise.then(() => assert.fail('resolved'), (error) => error);
}

async function waiting() {
  const made = await facade();
  const wire = made.open();
  await turn();
  return { ...made, wire };
}

test('on an open wire it is written within the call, and resolves with a receipt', async () => {
  const { wire, socket } = await opened({ sender: 'me' });
  const promise = wire.send('text', 'hi', { to: 'you', id: 'mine', meta: { tag: 1 } });
  assert.equal(socket.sent.length, 1);
  const { timestamp, ...rest } = JSON.parse(socket.sent[0]);
  assert.deepEqual(rest, {
    id: 'mine', type: 'text', sender: 'me', receiver: 'you', content: 'hi', meta: { read: false, delivered: false, tag: 1 },
  });
  assert.equal(typeof timestamp, 'number');
  assert.deepEqual(await promise, { level: 'written', durable: false, id: 'mine' });
});

test('ids are unique within a wire and across wires', async () => {
  const ids = new Set();
  for (let n = 0; n < 3; n++) {
    const { wire } = await opened();
    for (let m = 0; m < 100; m++) ids.add((await wire.send('text', 'x')).id);
  }
  assert.equal(ids.size, 300);
});

test('the core is told the length in UTF-8 bytes', async () => {
  const { wire, socket, core } = await opened();
  await wire.send('text', 'grüße 🙂');
  assert.equal(core.named('wire_submit')[0][3], Buffer.byteLength(socket.sent[0]));
});

test('the bytes are taken at send()', async () => {
  const { open, core } = await facade();
  const wire = open();
  await turn();
  const content = { a: 1 };
  void wire.send('text', content);
  content.a = 2;
  const { host, socket } = core.last;
  socket.readyState = 1;
  host.write(socket, core.last.waiting[0]);
  assert.deepEqual(JSON.parse(socket.sent[0]).content, { a: 1 });
});

test('what waits is counted', async () => {
  const { open, core } = await facade();
  const wire = open();
  await turn();
  void wire.send('text', 'é', { id: 'a' });
  void wire.send('text', 'b', { id: 'b' });
  const sizes = core.named('wire_submit').map((call) => call[3]);
  assert.deepEqual([wire.queued, wire.queuedBytes], [2, sizes[0] + sizes[1]]);
  const { host, socket, waiting } = core.last;
  assert.equal(host.write(socket, waiting[0]), false, 'not open');
  socket.readyState = 1;
  assert.equal(host.write(socket, waiting[0]), true);
  assert.deepEqual([wire.queued, wire.queuedBytes], [1, sizes[1]]);
  host.settled(waiting[0]);
  host.dropped(waiting[1], 1);
  assert.deepEqual([wire.queued, wire.queuedBytes], [0, 0]);
});

test('a socket that is not open or throws has not written', async () => {
  const { host, socket, wire, core } = await opened();
  for (const readyState of [0, 2, 3]) {
    socket.readyState = readyState;
    assert.equal(host.beat(socket), false);
  }
  socket.readyState = 1;
  assert.equal(host.beat(socket), true);
  assert.deepEqual(socket.sent, ['{"type":"heartbeat"}']);
  socket.send = () => { throw new Error('InvalidStateError'); };
  assert.equal(host.beat(socket), false);
  void wire.send('text', 'x');
  assert.deepEqual([core.last.waiting.length, wire.queued], [1, 1]);
  assert.equal(host.write(socket, 4711), false, 'an unknown ticket');
});

test('refusals by the core: the promise rejects and undelivered says so', async () => {
  for (const [answer, code] of [[1, 'closed'], [2, 'too-large'], [3, 'outbox-full']]) {
    const { wire, core } = await opened();
    const events = record(wire, 'undelivered');
    core.overrides.wire_submit = () => answer;
    const error = await rejected(wire.send('text', { a: 1 }, { id: 'i' }));
    assert.equal(error.name, 'EverwireError');
    assert.ok(error instanceof Error);
    assert.equal(error.code, code);
    await turn();
    assert.equal(events.length, 1);
    const { message, ...rest } = fields(events[0]);
    assert.deepEqual(rest, { id: 'i', messageType: 'text', reason: 'never-written', cause: code });
    assert.deepEqual(message.content, { a: 1 });
    assert.deepEqual([wire.queued, wire.queuedBytes], [0, 0]);
  }
});

test('refusals before the core: content, limit, binary', async () => {
  const cycle = {};
  cycle.self = cycle;
  const overhead = 'x'.repeat(300);
  for (const [content, code] of [
    [cycle, 'content'], [5n, 'content'], [undefined, 'content'], [() => {}, 'content'], [new Uint8Array(3), 'binary-disabled'],
    [overhead, 'too-large'], ['é'.repeat(100), 'too-large'],
  ]) {
    const { wire, core } = await opened({ maxMessageBytes: 300 });
    const events = record(wire, 'undelivered');
    const error = await rejected(wire.send('text', content));
    assert.equal(error.code, code);
    assert.equal(core.named('wire_submit').length, 0);
    await turn();
    assert.deepEqual([events.length, events[0].cause, events[0].reason], [1, code, 'never-written']);
    assert.deepEqual(events[0].message.content, content);
  }
  const { wire } = await opened({ binary: true, maxMessageBytes: 300 });
  assert.equal((await rejected(wire.send('file', new Uint8Array(301)))).code, 'too-large');
  assert.equal((await rejected(wire.send('file', new Uint8Array(299)))).code, 'too-large', 'the head counts as well');
});

test('meta that is wrong or throws is a rejection, not a throw', async () => {
  const { wire } = await opened();
  const meta = { get a() { throw new Error('getter'); } };
  assert.equal((await rejected(wire.send('text', 'x', { meta }))).code, 'content');
});

test('arguments that are wrong are a rejection, not a throw, and nothing is kept', async () => {
  const handle = { addEventListener() {} };
  for (const options of [
    { signal: {} }, { signal: 'x' }, { signal: handle }, { to: 5 }, { id: {} }, { get to() { throw new Error('getter'); } },
    { get signal() { throw new Error('getter'); } },
  ]) {
    for (const { wire, core } of [await opened(), await waiting()]) {
      const events = record(wire, 'undelivered');
      const error = await rejected(wire.send('text', 'x', options));
      assert.deepEqual([error.name, error.code], ['EverwireError', 'content']);
      await turn();
      assert.deepEqual(events.map(({ cause, reason, messageType, message }) => [cause, reason, messageType, message.content]), [
        ['content', 'never-written', 'text', 'x'],
      ]);
      assert.deepEqual([core.named('wire_submit').length, wire.queued, wire.queuedBytes], [0, 0, 0]);
    }
  }
});

test('no options, and no signal, by any name', async () => {
  const { wire, socket } = await opened();
  for (const options of [undefined, null, {}, { signal: undefined }, { signal: null }]) await wire.send('text', 'x', options);
  assert.equal(socket.sent.length, 5);
});

test('send() after close()', async () => {
  const { wire, core } = await opened();
  await wire.close();
  const events = record(wire, 'undelivered');
  assert.equal((await rejected(wire.send('text', 'x'))).code, 'closed');
  await turn();
  assert.deepEqual([events.length, events[0].cause], [1, 'closed']);
  assert.equal((await rejected(wire.send('text', 5n))).code, 'content', 'content is checked first');
  assert.equal(core.named('wire_submit').length, 0);
});

for (const [number, cause, reason, code] of [
  [0, 'closed', 'never-written', 'closed'],
  [1, 'overflow', 'never-written', 'outbox-full'],
  [2, 'aborted', 'never-written', 'aborted'],
]) {
  test(`dropped while it waited: ${cause}`, async () => {
    const { open, core } = await facade();
    const wire = open();
    const events = record(wire, 'undelivered', 'settled');
    await turn();
    const promise = wire.send('text', 'x', { id: 'i' });
    core.last.host.dropped(core.last.waiting[0], number);
    assert.equal((await rejected(promise)).code, code);
    assert.equal(events.length, 1);
    const { message, ...rest } = fields(events[0]);
    assert.deepEqual(rest, { id: 'i', messageType: 'text', reason, cause });
    assert.equal(message.content, 'x');
  });
}

for (const [number, cause] of [[5, 'lost'], [6, 'in-doubt-overflow']]) {
  test(`dropped after it was written: ${cause}, and the receipt stands`, async () => {
    const { wire, host, core } = await opened({ binary: true });
    const events = record(wire, 'undelivered');
    const receipts = [await wire.send('text', { a: 1 }), await wire.send('file', new Uint8Array([1, 10, 2]))];
    for (const [, , ticket] of core.named('wire_submit')) host.dropped(ticket, number);
    await turn();
    assert.deepEqual(events.map(({ id }) => id), receipts.map(({ id }) => id));
    for (const event of events) assert.deepEqual([event.reason, event.cause], ['in-doubt', cause]);
    assert.deepEqual(events[0].message.content, { a: 1 });
    assert.deepEqual(events[1].message.content, new Uint8Array([1, 10, 2]));
  });
}

test('settled, once; what the core says of unknown tickets is nothing', async () => {
  const { wire, host, core } = await opened();
  const events = record(wire, 'settled', 'undelivered');
  const { id } = await wire.send('text', 'x');
  const ticket = core.named('wire_submit')[0][2];
  host.settled(ticket);
  host.settled(ticket);
  host.dropped(ticket, 3);
  await turn();
  assert.deepEqual(events.map(fields), [{ id, messageType: 'text' }]);
});

test('an own message that comes back tells the core; a guess, a stranger and one that waits do not', async () => {
  const { wire, host, core, socket } = await opened();
  const back = (...ids) => arrives(host, JSON.stringify(ids.map((id) => ({ type: 'text', id }))));
  const { id } = await wire.send('text', 'x');
  await wire.send('text', 'y', { id: 'of-my-own' });
  socket.readyState = 3;
  void wire.send('text', 'waits');
  const [, , ticket] = core.named('wire_submit')[0];
  const waiting = id.replace(/-\d+-/, `-${ticket + 2}-`);
  back('of-my-own', 'a stranger', waiting, id.slice(0, -1), id + '0', id.split('-')[0], 7);
  assert.equal(core.named('wire_echoed').length, 0);
  back('a stranger', id);
  assert.deepEqual(core.named('wire_echoed').map((call) => call[2]), [ticket]);
  assert.equal(core.calls.at(-1)[0], 'wire_frame', 'before the frame that it came in');
});

test('a ticket is not given twice while it is in use', async () => {
  const { wire, core } = await opened();
  for (let n = 0; n < 50; n++) void wire.send('text', n);
  const tickets = core.named('wire_submit').map((call) => call[2]);
  assert.equal(new Set(tickets).size, 50);
  for (const ticket of tickets) assert.ok(Number.isInteger(ticket) && ticket >= 0 && ticket < 2 ** 32);
});

test('promises that nobody looks at are no unhandled rejections', async () => {
  const { wire, core, host } = await opened();
  void wire.send('text', 5n);
  core.overrides.wire_submit = () => 3;
  void wire.send('text', 'x');
  core.overrides.wire_submit = () => 0;
  void wire.send('text', 'x');
  host.dropped(core.named('wire_submit').at(-1)[2], 0);
  await wire.close();
  void wire.send('text', 'x');
  void wire.close();
  await turn();
  await turn();
  assert.deepEqual(unhandled, []);
});

/** How a promise comes to be rejected: before the core hears of it, within the call, later, at the end. */
const REJECTIONS = {
  'no JSON': ({ wire }) => [wire.send('text', 5n), 'content'],
  'too large': ({ wire }) => [wire.send('text', 'x'.repeat(2_000_000)), 'too-large'],
  'aborted before': ({ wire }) => [wire.send('text', 'x', { signal: AbortSignal.abort() }), 'aborted'],
  'refused by the core': ({ wire, core }) => {
    core.overrides.wire_submit = () => 3;
    return [wire.send('text', 'x'), 'outbox-full'];
  },
  'dropped within the call': ({ wire, core }) => {
    core.overrides.wire_submit = (one, ticket) => {
      one.host.dropped(ticket, 1);
      return 0;
    };
    return [wire.send('text', 'x'), 'outbox-full'];
  },
  'the core dies of it': ({ wire, core }) => {
    core.overrides.wire_submit = () => {
      throw new Error('unreachable');
    };
    wire.addEventListener('error', () => {});
    return [wire.send('text', 'x'), 'core-died'];
  },
  'dropped in the same turn': ({ wire, core, host }) => {
    const promise = wire.send('text', 'x');
    host.dropped(core.last.waiting.pop(), 4);
    return [promise, 'replaced'];
  },
  'dropped later': async ({ wire, core, host }) => {
    const promise = wire.send('text', 'x');
    await turn();
    core.event(() => host.dropped(core.last.waiting.pop(), 3));
    return [promise, 'expired'];
  },
  'aborted while it waits': async ({ wire }) => {
    const controller = new AbortController();
    const promise = wire.send('text', 'x', { signal: controller.signal });
    await turn();
    controller.abort();
    return [promise, 'aborted'];
  },
  'the wire closes': async ({ wire }) => {
    const promise = wire.send('text', 'x');
    await turn();
    void wire.close();
    return [promise, 'closed'];
  },
  'the wire is closed': async ({ wire }) => {
    await wire.close();
    return [wire.send('text', 'x'), 'closed'];
  },
  'the core dies later': async ({ wire, core }) => {
    const promise = wire.send('text', 'x');
    await turn();
    wire.addEventListener('error', () => {});
    core.event(() => {
      throw new Error('unreachable');
    });
    return [promise, 'core-died'];
  },
};

for (const [how, provoke] of Object.entries(REJECTIONS)) {
  test(`a rejected promise that nobody looks at is no unhandled rejection, and one that is looked at late still rejects: ${how}`, async () => {
    const made = await waiting();
    made.host = made.core.last.host;
    const events = record(made.wire, 'undelivered');
    // In an array: a promise that is returned from an async function is taken.
    const [promise, code] = await provoke(made);
    await turn();
    await turn();
    assert.deepEqual(unhandled.splice(0), []);
    assert.equal((await rejected(promise)).code, code);
    assert.equal(events.length, 1, 'told once');
  });
}
