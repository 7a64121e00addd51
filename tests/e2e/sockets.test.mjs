// How sockets misbehave, one fact of the field at a time: on an injected socket where a network cannot be made to do
// it. Real ones: real-sockets.test.mjs.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { kit } from './harness/kit.mjs';

const it = kit({ modules: ['wires', 'fake-socket', 'virtual-clock'] });
const { skip } = it;
// Of a whole group.
const TIMEOUT = 240_000;
const FAKE = 'ws://everwire.invalid/';

describe('an injected socket', { skip, timeout: TIMEOUT }, () => {
  test('events of a replaced socket are ignored', async () => {
    const result = await it.inPage({ url: FAKE }, async ({ watch, FakeSocket, url }) => {
      FakeSocket.onmade = (socket) => {
        socket.accept();
        socket.receive({ type: 'welcome' });
      };
      const { wire, until, log, messages } = watch(url, { WebSocket: FakeSocket });
      await until((e) => e.name === 'open' && e.link === 1);
      const [old] = FakeSocket.made;
      old.end(1006);
      await until((e) => e.name === 'open' && e.link === 2);
      const before = log.length;
      // As if it had never been told that it ended: late, twice, with content.
      old.accept();
      old.receive({ type: 'text', content: 'from the grave' });
      old.fire(new Event('error'));
      old.end(4000, 'late', true);
      await wire.send('text', 'alive');
      const noise = log.slice(before).filter(({ name }) => name !== 'message');
      const sent = FakeSocket.made[1].envelopes.map(({ content }) => content);
      const { state } = wire;
      await wire.close();
      return { noise, sent, state, messages: messages().map(({ content }) => content ?? null), sockets: FakeSocket.count };
    });
    assert.deepEqual(result, { noise: [], sent: ['alive'], state: 'open', messages: [null, null], sockets: 2 });
  });

  test('a socket that is still connecting is closed at once, or it would hold up the next dial', async () => {
    const result = await it.inPage({ url: FAKE }, async ({ watch, FakeSocket, url }) => {
      // Every WebKit says that it is Apple's.
      Object.defineProperty(navigator, 'vendor', { value: '', configurable: true });
      const { wire, until } = watch(url, { WebSocket: FakeSocket, connectTimeout: 1000 });
      await until((e) => e.name === 'reconnecting' && e.cause === 'connect-timeout');
      const first = FakeSocket.newest.closeCalls.length;
      await wire.close();
      return { first, all: FakeSocket.made.map((socket) => socket.closeCalls.length) };
    });
    assert.equal(result.first, 1);
    assert.ok(result.all.every((calls) => calls === 1), String(result.all));
  });

  test('in Safari a socket that is still connecting is never closed: it is abandoned, and closed if it ever opens', async () => {
    const result = await it.inPage({ url: FAKE }, async ({ watch, FakeSocket, url }) => {
      Object.defineProperty(navigator, 'vendor', { value: 'Apple Computer, Inc.', configurable: true });
      const { wire, until } = watch(url, { WebSocket: FakeSocket, connectTimeout: 1000 });
      await until((e) => e.name === 'reconnecting' && e.cause === 'connect-timeout');
      const [slow] = FakeSocket.made;
      const whileConnecting = slow.closeCalls.length;
      while (FakeSocket.count < 2) await new Promise((resolve) => setTimeout(resolve, 5));
      const second = FakeSocket.newest;
      // The user closes while the second one is connecting.
      const closing = wire.close();
      await closing;
      const afterClose = second.closeCalls.length;
      slow.accept();
      second.accept();
      await new Promise((resolve) => setTimeout(resolve, 0));
      return { whileConnecting, afterClose, opened: [slow.closeCalls.length, second.closeCalls.length], state: wire.state, sockets: FakeSocket.count };
    });
    assert.deepEqual(result, { whileConnecting: 0, afterClose: 0, opened: [1, 1], state: 'closed', sockets: 2 });
  });

  test('a close event that never comes does not hold up close()', async () => {
    const result = await it.inPage({ url: FAKE }, async ({ watch, FakeSocket, url }) => {
      FakeSocket.onmade = (socket) => {
        socket.answersClose = false;
        socket.accept();
        socket.receive({ type: 'welcome' });
      };
      const { wire, untilState, named } = watch(url, { WebSocket: FakeSocket });
      await untilState('open');
      await wire.send('text', 'unsettled');
      await wire.close({ code: 4001, reason: 'bye' });
      return { state: wire.state, calls: FakeSocket.newest.closeCalls.slice(0, 1), undelivered: named('undelivered').map((e) => e.reason) };
    });
    assert.equal(result.state, 'closed');
    assert.deepEqual(result.calls, [{ code: 4001, reason: 'bye', readyState: 1 }]);
    assert.deepEqual(result.undelivered, ['in-doubt'], 'without an answer to our close nobody knows');
  });

  for (const [how, breakIt] of [
    ['throws', (socket) => (socket.sendError = new Error('gone'))],
    ['would drop silently, for it is no longer open', (socket) => (socket.readyState = 2)],
  ]) {
    test(`a socket whose send ${how}: the message stays in the outbox and goes out on the next link`, async () => {
      const result = await it.inPage({ url: FAKE }, `async ({ watch, FakeSocket, url }) => {
        FakeSocket.onmade = (socket) => {
          socket.accept();
          socket.receive({ type: 'welcome' });
        };
        const { wire, untilState, named } = watch(url, { WebSocket: FakeSocket });
        await untilState('open');
        const [first] = FakeSocket.made;
        (${breakIt})(first);
        await Promise.all([wire.send('text', 1), wire.send('text', 2)]);
        const second = FakeSocket.newest.envelopes.map(({ content }) => content);
        await wire.close();
        return { first: first.sent.length, second, undelivered: named('undelivered'), cause: named('close')[0].cause };
      }`);
      assert.deepEqual(result, { first: 0, second: [1, 2], undelivered: [], cause: 'write-failed' });
    });
  }

  test('binary frames are asked for as ArrayBuffer', async () => {
    const type = await it.inPage({ url: FAKE }, async ({ watch, FakeSocket, url }) => {
      const made = new Promise((resolve) => (FakeSocket.onmade = resolve));
      const { wire } = watch(url, { WebSocket: FakeSocket });
      const socket = await made;
      await new Promise((resolve) => setTimeout(resolve, 0));
      await wire.close();
      return socket.binaryType;
    });
    assert.equal(type, 'arraybuffer');
  });

  for (const greeting of [false, true]) {
    test(`a server that accepts ${greeting ? 'and greets ' : ''}and then closes does not reset the backoff`, async () => {
      const result = await it.inPage({ url: FAKE, greeting }, async ({ watch, FakeSocket, url, greeting }) => {
        FakeSocket.onmade = (socket) => {
          socket.accept();
          if (greeting) socket.receive({ type: 'welcome' });
          socket.end(1006);
        };
        const { wire, until, named } = watch(url, { WebSocket: FakeSocket, reconnect: { delayMin: 10, delayMax: 200 } });
        await until((e) => e.name === 'reconnecting' && e.attempt === 12);
        await wire.close();
        return { attempts: named('reconnecting').map((e) => e.attempt), total: named('reconnecting').reduce((sum, e) => sum + e.delay, 0) };
      });
      assert.deepEqual(result.attempts, [...Array(12).keys()].map((n) => n + 1));
      // Full jitter: 1.2 s on average; twelve draws in a row near zero do not happen.
      assert.ok(result.total > 150, `${result.total} ms of waiting in all`);
    });
  }

  test('reconnect() during a backoff dials now, and only once', async () => {
    const result = await it.inPage({ url: FAKE }, async ({ watch, FakeSocket, VirtualClock, url }) => {
      const clock = new VirtualClock().install();
      const { wire, log } = watch(url, { WebSocket: FakeSocket, reconnect: { delayMin: 30_000, delayMax: 30_000 } });
      await clock.turn();
      FakeSocket.newest.end(1006);
      await clock.turn();
      const waiting = wire.state;
      wire.reconnect();
      wire.reconnect();
      await clock.turn();
      const dialled = FakeSocket.count;
      FakeSocket.newest.accept();
      FakeSocket.newest.receive({ type: 'welcome' });
      await clock.advance(120_000);
      return { waiting, dialled, later: FakeSocket.count, state: wire.state, causes: log.filter(({ name }) => name === 'reconnecting').map(({ cause }) => cause) };
    });
    assert.deepEqual(result, { waiting: 'waiting', dialled: 2, later: 2, state: 'open', causes: ['dial-failed', 'reconnect'] });
  });

  test('maxAttempts holds, whatever asks for more; then the wire is closed for good', async () => {
    const result = await it.inPage({ url: FAKE }, async ({ watch, failure, FakeSocket, url }) => {
      FakeSocket.onmade = (socket) => socket.end(1006);
      const { wire, until, named } = watch(url, { WebSocket: FakeSocket, reconnect: { delayMin: 10, delayMax: 20, maxAttempts: 3 } });
      wire.addEventListener('reconnecting', () => wire.reconnect());
      const waiting = failure(() => wire.send('text', 'never'));
      const closed = await until((e) => e.name === 'close');
      wire.reconnect();
      window.dispatchEvent(new Event('online'));
      await new Promise((resolve) => setTimeout(resolve, 100));
      return { closed, sockets: FakeSocket.count, sent: (await waiting).code, errors: named('error').map((e) => e.code), undelivered: named('undelivered').length };
    });
    assert.equal(result.closed.cause, 'max-attempts');
    assert.equal(result.closed.willRetry, false);
    assert.equal(result.sockets, 4, 'the first dial and three attempts');
    assert.deepEqual(result.errors, ['max-attempts']);
    assert.equal(result.undelivered, 1);
    assert.ok(result.sent);
  });

  test('a manual close() survives online, visible and pageshow', async () => {
    const result = await it.inPage({ url: FAKE }, async ({ watch, FakeSocket, url }) => {
      FakeSocket.onmade = (socket) => {
        socket.accept();
        socket.receive({ type: 'welcome' });
      };
      const { wire, untilState } = watch(url, { WebSocket: FakeSocket });
      await untilState('open');
      await wire.close();
      for (const name of ['offline', 'online', 'focus']) window.dispatchEvent(new Event(name));
      window.dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true }));
      window.dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }));
      document.dispatchEvent(new Event('visibilitychange'));
      document.dispatchEvent(new Event('resume'));
      wire.reconnect();
      await new Promise((resolve) => setTimeout(resolve, 100));
      return { sockets: FakeSocket.count, state: wire.state };
    });
    assert.deepEqual(result, { sockets: 1, state: 'closed' });
  });

  test('no timer is longer than a browser can hold, and close() leaves none behind', async () => {
    const result = await it.inPage({ url: FAKE }, async ({ watch, FakeSocket, VirtualClock, url }) => {
      const clock = new VirtualClock().install();
      const options = { heartbeatInterval: 600_000, connectTimeout: 120_000, closeTimeout: 60_000, reconnect: { delayMin: 30_000, delayMax: 30_000, factor: 10 } };
      const { wire } = watch(url, { WebSocket: FakeSocket, ...options });
      for (let i = 0; i < 400; i++) {
        await clock.advance(30_000);
        if (FakeSocket.newest.readyState < 3) FakeSocket.newest.end(1006);
      }
      const closing = wire.close();
      await clock.advance(120_000);
      await closing;
      return { longest: clock.longest, pending: clock.pending, sockets: FakeSocket.count };
    });
    assert.ok(result.longest <= 2 ** 31 - 1);
    assert.equal(result.pending, 0);
    assert.ok(result.sockets > 300, 'no attempt number was its last');
  });

  test('offline is a hint: an open link is kept and used; without a link online dials at once', async () => {
    const result = await it.inPage({ url: FAKE }, async ({ watch, FakeSocket, VirtualClock, url }) => {
      const clock = new VirtualClock().install();
      const { wire } = watch(url, { WebSocket: FakeSocket, reconnect: {} });
      await clock.turn();
      FakeSocket.newest.accept();
      FakeSocket.newest.receive({ type: 'welcome' });
      await clock.turn();
      window.dispatchEvent(new Event('offline'));
      await clock.turn();
      const states = [wire.state];
      wire.send('text', 'still here');
      const sent = FakeSocket.newest.envelopes.at(-1).content;
      FakeSocket.newest.end(1006);
      await clock.turn();
      states.push(wire.state);
      const before = FakeSocket.count;
      window.dispatchEvent(new Event('online'));
      await clock.turn();
      return { states, sent, dialled: FakeSocket.count - before };
    });
    assert.deepEqual(result, { states: ['open', 'offline'], sent: 'still here', dialled: 1 });
  });

  test('heartbeats of others, taken for answers, cost two links at the most; then the answer is unlearned', async () => {
    // FIELD 14b: a server that forwards to the others hands us their heartbeats and never answers ours.
    const result = await it.inPage({ url: FAKE }, async ({ watch, FakeSocket, VirtualClock, url }) => {
      const clock = new VirtualClock().install();
      FakeSocket.onmade = (socket) => {
        socket.accept();
        socket.receive({ type: 'welcome' });
      };
      const { wire, named } = watch(url, { WebSocket: FakeSocket, reconnect: {} });
      await clock.turn();
      let heard = 0;
      let beats = 0;
      const seconds = async (count, otherIsThere) => {
        for (let i = 0; i < count; i++) {
          await clock.advance(1000);
          const sent = FakeSocket.newest.sent.length;
          if (sent > heard && otherIsThere) FakeSocket.newest.receive('{"type":"heartbeat"}');
          if (sent > heard) beats += 1;
          heard = sent;
        }
      };
      // The other one beats a second after us for ten minutes, and then it leaves.
      await seconds(600, true);
      const learned = named('close').length;
      await seconds(3600, false);
      return { beats, learned, state: wire.state, causes: named('close').map((e) => e.cause), errors: named('error').map((e) => e.code) };
    });
    assert.ok(result.beats > 60, `${result.beats} heartbeats`);
    assert.equal(result.learned, 0);
    assert.deepEqual(result.causes, ['no-reply', 'no-reply']);
    assert.deepEqual(result.errors, ['reply-unlearned']);
    assert.equal(result.state, 'open');
  });

  test('signals: on connect() it closes at once, on send() it takes back what waits', async () => {
    const result = await it.inPage({ url: FAKE }, async ({ watch, failure, FakeSocket, url }) => {
      const [whole, single] = [new AbortController(), new AbortController()];
      const { wire, until, named } = watch(url, { WebSocket: FakeSocket, signal: whole.signal });
      const taken = failure(() => wire.send('text', 'taken back', { signal: single.signal }));
      const kept = failure(() => wire.send('text', 'kept'));
      single.abort();
      const first = await taken;
      const { queued } = wire;
      whole.abort();
      await until((e) => e.name === 'close' && !e.willRetry);
      const early = watch(url, { WebSocket: FakeSocket, signal: AbortSignal.abort() });
      await early.untilState('closed');
      return {
        codes: [first.code, (await kept).code], queued, states: [wire.state, early.wire.state],
        undelivered: named('undelivered').map(({ cause, reason }) => [cause, reason]), sockets: FakeSocket.count,
      };
    });
    assert.deepEqual(result.codes, ['aborted', 'closed']);
    assert.equal(result.queued, 1);
    assert.deepEqual(result.states, ['closed', 'closed']);
    assert.deepEqual(result.undelivered, [['aborted', 'never-written'], ['closed', 'never-written']]);
    assert.ok(result.sockets <= 1);
  });

  test('concurrent calls from handlers and promises never meet a borrowed instance', async () => {
    const result = await it.inPage({ url: FAKE }, async ({ watch, FakeSocket, url }) => {
      FakeSocket.onmade = (socket) => {
        socket.accept();
        socket.receive({ type: 'welcome' });
        // A socket that calls back from within send().
        const send = socket.send.bind(socket);
        socket.send = (data) => {
          send(data);
          socket.receive(data);
        };
      };
      const { wire, named } = watch(url, { WebSocket: FakeSocket });
      const sends = [];
      let echoes = 0;
      for (const name of ['statechange', 'open', 'settled', 'reconnecting']) {
        wire.addEventListener(name, () => echoes < 200 && sends.push(wire.send('text', name)));
      }
      wire.on('text', async () => {
        echoes += 1;
        if (echoes < 200) sends.push(wire.send('text', echoes));
        if (echoes < 200 && echoes % 20 === 0) wire.reconnect();
      });
      for (let i = 0; i < 50; i++) sends.push(wire.send('text', `burst ${i}`));
      while (echoes < 200) await new Promise((resolve) => setTimeout(resolve, 1));
      await Promise.all(sends);
      await wire.close();
      return { errors: named('error').map((e) => e.code), state: wire.state };
    });
    assert.deepEqual(result, { errors: [], state: 'closed' });
  });
});
