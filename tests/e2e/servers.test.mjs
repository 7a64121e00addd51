// The client against both servers, unchanged: what they send, refuse and limit, and what a broken link costs.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { startServer } from '../../examples/node-server/server.mjs';
import { startBareServer } from './bare-server.mjs';
import { kit } from './harness/kit.mjs';
import { until } from './harness/wait.mjs';

const it = kit();
const { skip } = it;
// Of a whole group.
const TIMEOUT = 240_000;

const servers = [
  ['node-server', startServer],
  ['bare server', startBareServer],
];

for (const [name, start] of servers) {
  describe(name, { skip, timeout: TIMEOUT }, () => {
    test('the greeting that is no full envelope arrives as it came', async () => {
      const server = await it.serve(start);
      const messages = await it.inPage({ url: server.url }, async ({ watch, url }) => {
        const { wire, until, messages } = watch(url);
        await until((e) => e.name === 'message');
        await wire.close();
        return messages();
      });
      assert.equal(messages.length, 1);
      assert.equal(messages[0].type, 'welcome');
      assert.equal(typeof messages[0].message, 'string');
    });

    test('a message goes out as a full envelope, comes back as a binary frame and is received once', async () => {
      const server = await it.serve(start);
      const before = Date.now();
      const { receipt, messages, state } = await it.inPage({ url: server.url }, async ({ watch, url }) => {
        const { wire, until, messages } = watch(url, { sender: 'ada' });
        const receipt = await wire.send('text', { hello: 'wörld 🦀' }, { to: 'room', meta: { color: 'blue' } });
        await until((e) => e.name === 'message' && e.message.type === 'text');
        const state = wire.state;
        await wire.close();
        return { receipt, messages: messages(), state };
      });
      assert.equal(state, 'open');
      assert.equal(receipt.level, 'written');
      assert.equal(receipt.durable, false);
      const [sent] = server.envelopes();
      assert.deepEqual(messages.filter(({ type }) => type === 'text'), [sent]);
      const { id, timestamp, ...rest } = sent;
      assert.equal(id, receipt.id);
      assert.ok(timestamp >= before && timestamp <= Date.now());
      assert.deepEqual(rest, {
        type: 'text',
        sender: 'ada',
        receiver: 'room',
        content: { hello: 'wörld 🦀' },
        meta: { read: false, delivered: false, color: 'blue' },
      });
    });

    test('heartbeats, our own and those of others, reach no handler and settle what was sent before', async () => {
      const server = await it.serve(start);
      const { messages, settled, errors } = await it.inPage({ url: server.url }, async ({ watch, url }) => {
        const { wire, until, messages, named } = watch(url, {
          heartbeatInterval: 1000,
          expectReply: true,
          types: ['text', 'welcome', 'heartbeat', ''],
        });
        // An id of our own choosing is not recognised when it comes back: only the answered heartbeat settles it.
        const { id } = await wire.send('text', 1, { id: 'of-my-own' });
        await until((e) => e.name === 'settled' && e.id === id);
        await wire.close();
        return { messages: messages(), settled: named('settled').length, errors: named('error') };
      });
      assert.ok(server.envelopes().some(({ type }) => type === 'heartbeat'), 'a heartbeat was sent');
      assert.deepEqual(messages.map(({ type }) => type), ['welcome', 'text']);
      assert.equal(settled, 1);
      assert.deepEqual(errors, []);
    });

    test('what waited is written before what is sent in the open handler, in order', async () => {
      const server = await it.serve(start);
      await it.inPage({ url: server.url }, async ({ watch, url }) => {
        const { wire, until } = watch(url);
        const sends = [];
        wire.addEventListener('open', () => sends.push(wire.send('text', 'new')));
        for (let i = 0; i < 30; i++) sends.push(wire.send('text', i));
        await until((e) => e.name === 'open');
        await Promise.all(sends);
        await wire.close();
      });
      assert.deepEqual(server.contents(), [...Array(30).keys(), 'new']);
    });

    test('a refused token: one fresh one is asked for, a different one refused as well is final', async () => {
      const server = await it.serve(start, { token: 'right' });
      const result = await it.inPage({ url: server.url }, async ({ watch, failure, url }) => {
        let asked = 0;
        const { wire, until, named } = watch(url, { token: () => `wrong-${++asked}` });
        const send = failure(() => wire.send('text', 'never'));
        const closed = await until((e) => e.name === 'close' && !e.willRetry);
        const sent = await send;
        return { asked, closed, sent, state: wire.state, errors: named('error').map((e) => e.code), undelivered: named('undelivered') };
      });
      assert.equal(result.asked, 2);
      assert.equal(result.closed.cause, 'auth-refused');
      assert.equal(result.closed.code, 1008);
      assert.equal(result.closed.retryIn, null);
      assert.equal(result.state, 'closed');
      assert.ok(result.errors.includes('auth-refused'));
      assert.ok(result.sent, 'the waiting message was rejected');
      assert.deepEqual(result.undelivered.map(({ reason, content }) => [reason, content]), [['never-written', 'never']]);
      assert.deepEqual(server.connections.map(({ protocols }) => protocols), ['wrong-1', 'wrong-2']);
      assert.deepEqual(server.contents(), []);
    });

    test('a refused token, and the fresh one is right: as if nothing had happened', async () => {
      const server = await it.serve(start, { token: 'right' });
      await it.inPage({ url: server.url }, async ({ watch, url }) => {
        const tokens = ['stale', 'right'];
        const { wire } = watch(url, { token: async () => tokens.shift(), protocols: ['chat'] });
        await wire.send('text', 'hello');
        await wire.close();
      });
      assert.deepEqual(server.connections.map(({ protocols }) => protocols), ['chat, stale', 'chat, right']);
      assert.deepEqual(server.contents(), ['hello']);
    });

    test('the same token refused again and again is waited out with growing delays', async () => {
      const server = await it.serve(start, { token: 'right' });
      const result = await it.inPage({ url: server.url }, async ({ watch, url }) => {
        const { wire, until, named } = watch(url, { token: 'wrong' });
        await until((e) => e.name === 'reconnecting' && e.attempt >= 6);
        const state = wire.state;
        await wire.close();
        return { state, attempts: named('reconnecting').map((e) => e.attempt), codes: named('reconnecting').map((e) => e.code) };
      });
      assert.notEqual(result.state, 'closed');
      assert.deepEqual(result.attempts.slice(0, 6), [1, 2, 3, 4, 5, 6]);
      assert.ok(result.codes.every((code) => code === 1008));
    });

    test('a refusal without a token option is backoff', async () => {
      const server = await it.serve(start, { token: 'right' });
      const result = await it.inPage({ url: server.url }, async ({ watch, url }) => {
        const { wire, until } = watch(url);
        await until((e) => e.name === 'reconnecting' && e.attempt >= 4);
        const { state } = wire;
        await wire.close();
        return state;
      });
      assert.notEqual(result, 'closed');
      assert.ok(server.connections.length >= 4);
    });

    test('500 messages that waited arrive once, in order, through a reset in the middle; what the reset hit is told', async () => {
      const server = await it.serve(start);
      const proxy = await it.proxyTo(server);
      await proxy.down();
      const done = it.inPage({ url: proxy.url }, async ({ watch, url }) => {
        const { wire, named } = watch(url);
        const written = [];
        for (let i = 0; i < 500; i++) written.push(wire.send('text', i));
        await Promise.all(written);
        await wire.close();
        return { undelivered: named('undelivered'), settled: named('settled').length };
      });
      await proxy.up();
      await until(server.wss, 'change', () => server.contents().length >= 100);
      proxy.resetAll();
      const { undelivered, settled } = await done;
      const arrived = server.contents();
      assert.deepEqual(arrived, [...new Set(arrived)], 'nothing twice');
      assert.deepEqual(arrived, [...arrived].sort((a, b) => a - b), 'in order');
      assert.equal(undelivered.length + settled, 500, 'every message left by one exit');
      assert.ok(undelivered.every(({ reason }) => reason === 'in-doubt'));
      const told = new Set(undelivered.map(({ content }) => content));
      const missing = [...Array(500).keys()].filter((i) => !arrived.includes(i));
      assert.deepEqual(missing.filter((i) => !told.has(i)), [], 'every missing message was told');
    });
  });
}

describe('limits of node-server', { skip, timeout: TIMEOUT }, () => {
  test('a rate limit of 400/s survives a backlog of 500', async () => {
    const server = await it.serve(startServer, { maxMessagesPerSecond: 400 });
    const proxy = await it.proxyTo(server);
    await proxy.down();
    await it.inPage({ url: proxy.url }, async ({ watch, url }) => {
      const began = performance.now();
      window.watched = watch(url);
      window.written = Promise.all(Array.from({ length: 500 }, (_, i) => window.watched.wire.send('text', i)));
      // Long enough without a link that the burst no longer counts as the application's own rate.
      await window.watched.until((e) => e.name === 'reconnecting' && performance.now() - began > 2500);
    });
    await proxy.up();
    const undelivered = await it.inPage({}, async () => {
      await window.written;
      await window.watched.wire.close();
      return window.watched.named('undelivered').length;
    });
    assert.equal(undelivered, 0);
    assert.deepEqual(server.contents(), [...Array(500).keys()]);
    assert.equal(server.connections.length, 1, 'not closed for flooding');
  });

  test('a message that the server finds too long: 1009, told, never sent again; the wire goes on', async () => {
    const server = await it.serve(startServer, { maxMessageBytes: 2000 });
    const result = await it.inPage({ url: server.url }, async ({ watch, url }) => {
      const { wire, until, named } = watch(url);
      await wire.send('text', 'x'.repeat(5000));
      const lost = await until((e) => e.name === 'undelivered');
      const ended = await until((e) => e.name === 'close');
      await wire.send('text', 'small');
      await until((e) => e.name === 'message' && e.message.content === 'small');
      await wire.close();
      return { lost, ended, undelivered: named('undelivered').length };
    });
    assert.equal(result.ended.code, 1009);
    assert.equal(result.ended.willRetry, true);
    assert.equal(result.lost.reason, 'in-doubt');
    assert.equal(result.undelivered, 1);
    assert.deepEqual(server.contents(), ['small']);
    assert.equal(server.connections.length, 2);
  });

  test('closed with 1008 for flooding after messages were sent: backoff, not a refused token', async () => {
    const server = await it.serve(startServer, { token: 'right', maxMessagesPerSecond: 50 });
    const result = await it.inPage({ url: server.url }, async ({ watch, url }) => {
      const { wire, until, untilState, named } = watch(url, { token: () => 'right' });
      await untilState('open');
      for (let i = 0; i < 200; i++) wire.send('text', i);
      const ended = await until((e) => e.name === 'close');
      await until((e) => e.name === 'open' && e.link > 1);
      await wire.close();
      return { ended, errors: named('error'), undelivered: named('undelivered').map((e) => e.reason) };
    });
    assert.equal(result.ended.code, 1008);
    assert.equal(result.ended.willRetry, true);
    assert.deepEqual(result.errors, []);
    assert.ok(result.undelivered.length > 0 && result.undelivered.every((reason) => reason === 'in-doubt'));
  });
});

describe('between two clients', { skip, timeout: TIMEOUT }, () => {
  test('greeted before the token is looked at: backoff, one dial at a time, nothing lost silently', async () => {
    const server = await it.serve(startBareServer, { token: 'right', greetFirst: true });
    const result = await it.inPage({ url: server.url }, async ({ watch, url }) => {
      const tokens = ['a', 'b', 'c', 'right'];
      const { wire, until, named } = watch(url, { token: () => tokens.shift() ?? 'right' });
      wire.send('text', 'early').catch(() => {});
      await until((e) => e.name === 'settled' || e.name === 'undelivered');
      await wire.close();
      return { exits: [...named('settled'), ...named('undelivered')], state: wire.state };
    });
    assert.equal(result.exits.length, 1);
    if (result.exits[0].name === 'settled') assert.deepEqual(server.contents(), ['early']);
    else assert.equal(result.exits[0].reason, 'in-doubt');
  });

  test('another client\'s heartbeats do not make a healthy link look dead', async () => {
    const server = await it.serve(startBareServer);
    const result = await it.inPage({ url: server.url }, async ({ watch, url }) => {
      const a = watch(url, { heartbeatInterval: 1000 });
      const b = watch(url, { heartbeatInterval: 1000 });
      await Promise.all([a.untilState('open'), b.untilState('open')]);
      await a.wire.send('text', 'to b');
      await b.until((e) => e.name === 'message' && e.message.content === 'to b');
      await a.until((e) => e.name === 'settled');
      await Promise.all([a.wire.close(), b.wire.close()]);
      return [...a.named('close'), ...b.named('close')].map((e) => e.willRetry);
    });
    assert.deepEqual(result, [false, false]);
  });
});
