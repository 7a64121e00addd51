// Everything that `everwire/exactly-once` offers, once through, in Node: the built package against the server from the document.
import assert from 'node:assert/strict';
import path from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { WebSocket } from 'ws';
import { serve } from '../../examples/node-session-server/server.mjs';
import { missingPackage, packageDir } from './harness/site.mjs';
import { startProxy } from './proxy.mjs';

const skip = missingPackage();
const { connect, EverwireError } = skip ? {} : await import(path.join(packageDir, 'exactly-once.js'));

let server;
let wires;
beforeEach(async () => {
  wires = [];
  server = await serve({
    authenticate: (token) => (token?.startsWith('user:') ? { identity: token.replace(':', '_') } : null),
    mayJoin: (_identity, room) => !room.startsWith('denied'),
    onMessage: ({ type }) => (type === 'refused' ? { refuse: 'not-today' } : undefined),
    handlers: {
      double: (content) => content * 2,
      fails: () => {
        throw Object.assign(new Error('no'), { code: 'broken' });
      },
    },
  });
});
afterEach(async () => {
  await Promise.all(wires.map((wire) => wire.close({ timeout: 0 })));
  await server.close();
});

function wire(name, options) {
  const made = connect(options?.url ?? server.url, { token: `user:${name}`, WebSocket, ...options?.wire });
  wires.push(made);
  return made;
}

/** The next event of this name, or of those that pass. */
function next(target, name, passes = () => true) {
  return new Promise((resolve) => {
    const listener = (event) => {
      if (!passes(event)) return;
      target.removeEventListener(name, listener);
      resolve(event);
    };
    target.addEventListener(name, listener);
  });
}

test('a receipt, and the message once, stamped, with its stable name', { skip }, async () => {
  const [ann, bob] = [wire('ann'), wire('bob')];
  const [there, here] = [ann.join('r'), bob.join('r')];
  await Promise.all([there.joined, here.joined]);
  const got = new Promise((resolve) => here.on('text', resolve));
  const receipt = await there.send('text', { a: [1, 'é'] });
  assert.deepEqual({ ...receipt, id: typeof receipt.id }, { level: 'stored', durable: false, id: 'string' });
  const message = await got;
  assert.deepEqual([message.content, message.sender, message.receiver, message.id], [{ a: [1, 'é'] }, 'user_ann', 'r', receipt.id]);
  assert.equal(typeof message.logEpoch, 'string');
  assert.ok(message.s >= 1);
  assert.equal(ann.identity, 'user_ann');
});

test('what is sent in one turn shares frames, and a lone message leaves in its turn', { skip }, async () => {
  const frames = [];
  class Counting extends WebSocket {
    send(data, ...rest) {
      if (String(data).startsWith('send ')) frames.push(data);
      super.send(data, ...rest);
    }
  }
  const ann = wire('ann', { wire: { WebSocket: Counting } });
  await next(ann, 'open');
  const lone = ann.send('text', 'alone', { to: 'r' });
  await Promise.resolve();
  assert.equal(frames.length, 1, 'not in its turn');
  await lone;
  const receipts = Array.from({ length: 1000 }, (_, n) => ann.send('n', n, { to: 'r' }));
  await Promise.all(receipts);
  // 1,000 of about 200 octets, 65,536 a frame.
  assert.ok(frames.length <= 1 + 5, `${frames.length} frames`);
});

test('what is handed over before there is a link, and a thousand at once, stay in order', { skip }, async () => {
  const room = wire('bob').join('r');
  await room.joined;
  const ann = wire('ann');
  const seen = [];
  const all = new Promise((resolve) => room.on('n', ({ content }) => seen.push(content) === 1000 && resolve()));
  const receipts = Array.from({ length: 1000 }, (_, n) => ann.send('n', n, { to: 'r' }));
  assert.ok(ann.queued > 0 && ann.queuedBytes > 0);
  await Promise.all(receipts);
  await all;
  assert.deepEqual(seen, Array.from({ length: 1000 }, (_, n) => n));
  assert.equal(ann.queued, 0);
});

test('own messages come back only if asked for', { skip }, async () => {
  for (const echo of [false, true]) {
    const ann = wire('ann', { wire: { echo } });
    const room = ann.join(`echo-${echo}`);
    await room.joined;
    const seen = [];
    room.on('text', ({ content }) => seen.push(content));
    await room.send('text', 1);
    await room.send('text', 2, { id: 'of-my-own' });
    // What another says behind it has come: so has what was before it.
    const bob = wire('bob');
    const heard = new Promise((resolve) => room.on('end', resolve));
    // An id that the application has chosen can be chosen by others too: that makes their message none of ann's.
    await bob.send('text', 3, { to: room.name, id: 'of-my-own' });
    await bob.send('end', 0, { to: room.name });
    await heard;
    assert.deepEqual(seen, echo ? [1, 2, 3] : [3]);
  }
});

test('requests are answered, fail, and are refused', { skip }, async () => {
  const ann = wire('ann');
  assert.equal((await ann.request('double', 21)).content, 42);
  const failed = await ann.request('fails', 0);
  assert.deepEqual([failed.type, failed.content.code], ['error', 'broken']);
  await assert.rejects(ann.request('double', 1, { timeout: 0 }), TypeError);
});

test('a refusal rejects with its code, is told, and the next goes on', { skip }, async () => {
  const ann = wire('ann');
  const told = next(ann, 'undelivered');
  await assert.rejects(ann.send('refused', 1, { to: 'r' }), (error) => {
    assert.ok(error instanceof EverwireError);
    assert.deepEqual([error.code, error.message], ['refused', 'the server refused it: not-today']);
    return true;
  });
  const { reason, cause, code, message } = await told;
  assert.deepEqual([reason, cause, code, message.content], ['refused', 'refused', 'not-today', 1]);
  assert.equal((await ann.send('text', 2, { to: 'r' })).level, 'stored');
});

test('a room that is denied', { skip }, async () => {
  const ann = wire('ann');
  const told = next(ann, 'denied');
  await assert.rejects(ann.join('denied-1').joined, { code: 'denied' });
  assert.deepEqual([(await told).room, (await told).code], ['denied-1', 'forbidden']);
  assert.throws(() => ann.join('a\u0000b'), TypeError);
  assert.throws(() => ann.join('x'.repeat(129)), TypeError);
});

test('history, page by page', { skip }, async () => {
  const ann = wire('ann');
  const room = ann.join('r');
  await room.joined;
  for (let n = 0; n < 7; n++) await room.send('text', n);
  const first = await room.history({ count: 3 });
  assert.deepEqual(first.messages.map(({ content }) => content), [4, 5, 6]);
  const second = await room.history({ count: 3, before: first.older });
  assert.deepEqual(second.messages.map(({ content }) => content), [1, 2, 3]);
  const third = await ann.history('r', { count: 3, before: second.older });
  assert.deepEqual([third.messages.map(({ content }) => content), third.older], [[0], null]);
  await assert.rejects(ann.history('denied-1'), { code: 'refused' });
  await assert.rejects(ann.history('r', { signal: AbortSignal.abort() }), { code: 'aborted' });
});

test('casts come as casts, and are kept by nobody', { skip }, async () => {
  const [ann, bob] = [wire('ann'), wire('bob')];
  assert.equal(ann.cast('typing', true, { to: 'r' }), false, 'there is no link yet');
  const [there, here] = [ann.join('r'), bob.join('r')];
  await Promise.all([there.joined, here.joined]);
  const got = new Promise((resolve) => here.on('typing', resolve));
  assert.equal(there.cast('typing', true), true);
  const { cast, content, s } = await got;
  assert.deepEqual([cast, content, s], [true, true, undefined]);
  assert.deepEqual((await here.history()).messages, []);
});

test('binary content', { skip }, async () => {
  const [ann, bob] = [wire('ann'), wire('bob')];
  await next(bob, 'open');
  const got = new Promise((resolve) => bob.on('blob', resolve));
  const bytes = crypto.getRandomValues(new Uint8Array(70_000).subarray(0, 65_536));
  await ann.send('blob', bytes, { to: 'user_bob' });
  assert.deepEqual(Buffer.from((await got).content), Buffer.from(bytes));
});

test('delivered and read, each once', { skip }, async () => {
  const ann = wire('ann');
  const bob = wire('bob', { wire: { deliveredReceipts: true } });
  await Promise.all([next(ann, 'open'), next(bob, 'open')]);
  const delivered = next(ann, 'delivered');
  const read = next(ann, 'read');
  const got = new Promise((resolve) => bob.on('text', resolve));
  const { id } = await ann.send('text', 'hello', { to: 'user_bob' });
  assert.deepEqual([(await delivered).id, (await delivered).by], [id, 'user_bob']);
  const message = await got;
  assert.equal(bob.markRead(message), true);
  assert.equal(bob.markRead(message), false, 'it has been said');
  assert.deepEqual([(await read).id, (await read).by, (await read).s], [id, 'user_bob', message.s]);
  assert.equal(bob.markRead({ type: 'text', content: 1 }), false);
});

test('only the newest of a key waits, what is late is not written, and an abort takes back', { skip }, async () => {
  const proxy = await startProxy({ targetPort: Number(new URL(server.url).port) });
  await proxy.down();
  const ann = wire('ann', { url: proxy.url });
  const codes = (promise) => promise.then(() => 'stored', ({ code }) => code);
  const abort = new AbortController();
  const fates = [
    ann.send('move', 1, { to: 'r', key: 'cursor' }), ann.send('move', 2, { to: 'r', key: 'cursor' }), ann.send('text', 3, { to: 'r', ttl: 1 }),
    ann.send('text', 4, { to: 'r', signal: abort.signal }), ann.send('text', 5, { to: 'r' }),
  ].map(codes);
  abort.abort();
  assert.deepEqual(await Promise.all([fates[0], fates[2], fates[3]]), ['replaced', 'expired', 'aborted']);
  await proxy.up();
  ann.reconnect();
  assert.deepEqual(await Promise.all(fates), ['replaced', 'stored', 'expired', 'aborted', 'stored']);
  await ann.close();
  await proxy.close();
});

test('a handler that takes its time holds back the next only if it is asked to', { skip }, async () => {
  const [ann, bob] = [wire('ann'), wire('bob')];
  await next(bob, 'open');
  const log = [];
  let release;
  const gate = new Promise((resolve) => (release = resolve));
  const done = new Promise((resolve) => {
    bob.on('text', async ({ content }) => {
      log.push(`serial ${content}`);
      if (content === 1) await gate;
      if (content === 2) resolve();
    }, { serial: true });
  });
  const both = new Promise((resolve) => bob.on('text', ({ content }) => {
    log.push(`free ${content}`);
    if (content === 2) resolve();
  }));
  await ann.send('text', 1, { to: 'user_bob' });
  await ann.send('text', 2, { to: 'user_bob' });
  await both;
  assert.ok(!log.includes('serial 2'), log.join());
  release();
  await done;
});

test('a handler that fails is reported, and the next message comes', { skip }, async () => {
  const [ann, bob] = [wire('ann'), wire('bob')];
  await next(bob, 'open');
  const failed = next(bob, 'error');
  const later = new Promise((resolve) => bob.on('text', ({ content }) => {
    if (content === 1) throw new Error('mine');
    resolve();
  }));
  await ann.send('text', 1, { to: 'user_bob' });
  await ann.send('text', 2, { to: 'user_bob' });
  const { error } = await failed;
  assert.deepEqual([error.code, error.cause.message], ['handler', 'mine']);
  await later;
});

test('a token that is refused twice closes the wire and says so', { skip }, async () => {
  let asked = 0;
  const stranger = wire('x', { wire: { token: () => `nobody-${++asked}` } });
  const error = next(stranger, 'error', ({ error }) => error.code === 'auth-refused');
  const closed = next(stranger, 'close', ({ willRetry }) => !willRetry);
  const sent = stranger.send('text', 1, { to: 'r' });
  await assert.rejects(sent, { code: 'closed' });
  await error;
  assert.equal((await closed).cause, 'auth-refused');
  assert.equal(stranger.state, 'closed');
  await assert.rejects(stranger.send('text', 1), { code: 'closed' });
});

test('a server that does not speak the protocol is named', { skip }, async () => {
  const { WebSocketServer } = await import('ws');
  const other = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  await new Promise((resolve) => other.once('listening', resolve));
  other.on('connection', (socket) => socket.close());
  const ann = wire('ann', { url: `ws://127.0.0.1:${other.address().port}` });
  const hurry = () => ann.reconnect();
  ann.addEventListener('reconnecting', hurry);
  const { error } = await next(ann, 'error', ({ error }) => error.code === 'not-spoken');
  ann.removeEventListener('reconnecting', hurry);
  assert.match(error.message, /everwire\.v1/);
  await ann.close({ timeout: 0 });
  await new Promise((resolve) => other.close(resolve));
});

test('bad input is named', { skip }, async () => {
  assert.throws(() => connect(server.url, { binary: true }), /there is no option binary/);
  assert.throws(() => connect(server.url, { heartbeatInterval: 0, WebSocket }), /heartbeatInterval must be 1000 – 600000/);
  assert.throws(() => connect(server.url, { token: 'with space', WebSocket }), /token/);
  assert.throws(() => connect(server.url, { delivery: 'best-effort', WebSocket }), /delivery/);
  const ann = wire('ann');
  await assert.rejects(ann.send('text', undefined, { to: 'r' }), { code: 'content' });
  await assert.rejects(ann.send('text', 1, { to: 'r', priority: 256 }), { code: 'content' });
  await assert.rejects(ann.send('text', 'x'.repeat(1_048_576), { to: 'r' }), { code: 'too-large' });
  await assert.rejects(ann.send('text', 1), { code: 'refused' }, 'no receiver');
  assert.throws(() => ann.on('text'), TypeError);
});
