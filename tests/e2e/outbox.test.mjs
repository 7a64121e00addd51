// What holds messages back, and what becomes of them, in a real browser: the rate limit and the high-water mark where the
// browser has the socket's buffer and the clock; policies, iterators and figures by the way.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { WebSocketServer } from 'ws';
import { serve as serveSession } from '../../examples/node-session-server/server.mjs';
import { chromiumOnly, kit } from './harness/kit.mjs';
import { missingPackage } from './harness/site.mjs';

const it = kit({ skip: missingPackage() || chromiumOnly, modules: ['wires', 'fake-socket'] });
const { skip } = it;
const TIMEOUT = 240_000;
const FAKE = 'ws://everwire.invalid/';

/** A server that greets, echoes what `echoes` says, and stops reading while told to. */
async function server({ echoes = false } = {}) {
  const wss = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  await new Promise((resolve) => wss.on('listening', resolve));
  const contents = [];
  const made = { url: `ws://127.0.0.1:${wss.address().port}`, contents, sockets: [] };
  wss.on('connection', (socket) => {
    made.sockets.push(socket);
    socket.send('{"type":"welcome"}');
    socket.on('message', (data) => {
      const { type, content } = JSON.parse(data);
      if (type === 'text') contents.push(typeof content === 'string' ? content.length : content);
      if (echoes) socket.send(String(data));
    });
  });
  it.cleanup(() => {
    for (const socket of wss.clients) socket.terminate();
    return new Promise((resolve) => wss.close(resolve));
  });
  return made;
}

describe('best effort', { skip, timeout: TIMEOUT }, () => {
  test('the rate limit: the burst at once, then no faster than the rate, in order, none lost', async () => {
    const { url, contents } = await server();
    const result = await it.inPage({ url }, async ({ watch, url }) => {
      const { wire, until } = watch(url, { rateLimit: { perSecond: 50, burst: 5 } });
      await until((e) => e.name === 'open');
      const began = performance.now();
      const times = [];
      const sends = Array.from({ length: 20 }, (_, n) => wire.send('text', n).then(() => times.push(performance.now() - began)));
      const queued = wire.queued;
      await Promise.all(sends);
      await wire.close();
      return { queued, times };
    });
    assert.equal(result.queued, 15);
    assert.deepEqual(contents, Array.from({ length: 20 }, (_, n) => n));
    // Time may be long, never short: the n-th behind the burst leaves n · 20 ms after it at the earliest, but for the clock's grain.
    result.times.forEach((time, n) => assert.ok(time >= (n - 4) * 20 - 5, `${n}: ${time}`));
  });

  test('the high-water mark: a socket whose buffer is full is given nothing more, until it has room', async () => {
    const result = await it.inPage({ url: FAKE }, async ({ watch, FakeSocket, url }) => {
      FakeSocket.onmade = (socket) => {
        socket.accept();
        socket.receive({ type: 'welcome' });
      };
      const { wire, until } = watch(url, { WebSocket: FakeSocket, highWaterBytes: 16_384 });
      await until((e) => e.name === 'open');
      const { newest: socket } = FakeSocket;
      const send = socket.send;
      // A network that takes nothing.
      socket.send = function (data) {
        send.call(this, data);
        this.bufferedAmount += data.length;
      };
      for (let n = 0; n < 10; n++) void wire.send('text', 'x'.repeat(4096));
      const full = { written: socket.sent.length, queued: wire.queued, buffered: wire.stats().buffered };
      await new Promise((resolve) => setTimeout(resolve, 100));
      const still = socket.sent.length;
      socket.bufferedAmount = 0;
      // Nothing else happens: the wire looks by itself.
      while (socket.sent.length === still) await new Promise((resolve) => setTimeout(resolve, 5));
      const more = socket.sent.length;
      socket.send = send;
      socket.bufferedAmount = 0;
      while (wire.queued) await new Promise((resolve) => setTimeout(resolve, 5));
      const all = socket.envelopes.filter(({ type }) => type === 'text').length;
      await wire.close();
      return { full, still, more, all };
    });
    assert.equal(result.full.written, 4, '16,384 are reached in the fourth, with its envelope');
    assert.ok(result.full.queued === 6 && result.full.buffered > 16_384, JSON.stringify(result));
    assert.deepEqual([result.still, result.more, result.all], [4, 8, 10]);
  });

  test('a real buffer that is full holds back the rest; it arrives when the server reads on', async () => {
    const { url, contents, sockets } = await server();
    const MESSAGES = 60;
    const page = await it.page();
    const result = it.inPage({ url, MESSAGES }, async ({ watch, url, MESSAGES }) => {
      const { wire, until } = watch(url, { highWaterBytes: 1_048_576, outbox: { maxBytes: 64 << 20 } });
      await until((e) => e.name === 'open');
      await new Promise((resolve) => (window.begin = resolve));
      for (let n = 0; n < MESSAGES; n++) void wire.send('text', 'x'.repeat(500_000));
      window.held = { queued: wire.queued, buffered: wire.stats().buffered };
      while (wire.queued) await new Promise((resolve) => setTimeout(resolve, 10));
      await wire.close();
      return wire.stats().sent.messages;
    });
    await page.waitForFunction('window.begin');
    sockets[0]._socket.pause();
    await page.evaluate('window.begin()');
    await page.waitForFunction('window.held');
    const held = await page.evaluate('window.held');
    assert.ok(held.queued > 40 && held.buffered > 1_048_576 && held.buffered < 4_000_000, JSON.stringify(held));
    sockets[0]._socket.resume();
    assert.equal(await result, MESSAGES);
    assert.deepEqual(contents, Array(MESSAGES).fill(500_000));
  });

  test('wait: senders beyond the outbox stay pending, and none is lost, offline first and then online', async () => {
    const { url, contents } = await server();
    const result = await it.inPage({ url }, async ({ watch, failure, url }) => {
      let open;
      const gate = new Promise((resolve) => (open = resolve));
      const { wire } = watch(() => gate, { outbox: { maxMessages: 10, overflow: 'wait' } });
      const sends = Array.from({ length: 1034 }, (_, n) => wire.send('text', n));
      const beyond = await failure(() => wire.send('text', 'beyond'));
      const { queued } = wire;
      open(url);
      const receipts = await Promise.all(sends);
      await wire.close();
      return { beyond: beyond.code, queued, levels: [...new Set(receipts.map(({ level }) => level))] };
    });
    assert.deepEqual(result, { beyond: 'outbox-full', queued: 1034, levels: ['written'] });
    assert.deepEqual(contents, Array.from({ length: 1034 }, (_, n) => n));
  });

  test('ttl, key and priority while there is no link', async () => {
    const { url, contents } = await server();
    const result = await it.inPage({ url }, async ({ watch, failure, url }) => {
      let open;
      const gate = new Promise((resolve) => (open = resolve));
      const { wire, named } = watch(() => gate);
      void wire.send('text', 'plain');
      const late = failure(() => wire.send('text', 'late', { ttl: 20 }));
      const first = failure(() => wire.send('text', 'first', { key: 'cursor' }));
      void wire.send('text', 'newest', { key: 'cursor' });
      void wire.send('text', 'urgent!', { priority: 9 });
      const codes = [(await first).code, (await late).code];
      open(url);
      while (wire.queued) await new Promise((resolve) => setTimeout(resolve, 5));
      await wire.close();
      return { codes, told: named('undelivered').map(({ content, cause }) => `${content} ${cause}`) };
    });
    assert.deepEqual(result, { codes: ['replaced', 'expired'], told: ['first replaced', 'late expired'] });
    assert.deepEqual(contents, ['urgent!', 'plain', 'newest'].map(({ length }) => length));
  });

  test('messages() in a page, and figures with a round trip', async () => {
    const { url } = await server({ echoes: true });
    const result = await it.inPage({ url }, async ({ watch, url }) => {
      const { wire, until } = watch(url, { types: [] });
      await until((e) => e.name === 'open');
      const got = [];
      for (let n = 0; n < 3; n++) void wire.send('text', n);
      for await (const { content } of wire.messages('text')) if (got.push(content) === 3) break;
      const { roundTrip, sent, received, links } = wire.stats();
      await wire.close();
      return { got, roundTrip, sent: sent.messages, received: received.messages, links, events: wire.recent().map(({ name }) => name) };
    });
    const { roundTrip, ...rest } = result;
    assert.ok(roundTrip > 0 && roundTrip < 10_000, String(roundTrip));
    assert.deepEqual(rest, {
      got: [0, 1, 2], sent: 3, received: 4, links: 1,
      events: ['statechange', 'open', 'statechange', 'statechange', 'close'],
    });
  });
});

describe('exactly once', { skip, timeout: TIMEOUT }, () => {
  test('the rate limit, the figures, and an iterator that holds back what it has not pulled', async () => {
    const page = await it.page();
    const session = await serveSession({ origins: [new URL(page.url()).origin], authenticate: (token) => ({ identity: token }) });
    it.cleanup(() => session.close());
    const result = await it.inPage({ url: session.url }, async ({ url }) => {
      const { connect } = await import('everwire/exactly-once');
      const [ann, bob] = ['user_ann', 'user_bob'].map((token) => connect(url, { token, ...(token === 'user_ann' && { rateLimit: { perSecond: 50, burst: 5 } }) }));
      const [there, here] = [ann.join('r'), bob.join('r')];
      await Promise.all([there.joined, here.joined]);
      const messages = here.messages('text');
      const began = performance.now();
      const sends = Array.from({ length: 15 }, (_, n) => there.send('text', n));
      await Promise.all(sends);
      const took = performance.now() - began;
      const got = [];
      for await (const { content } of messages) if (got.push(content) === 15) break;
      const { sent, settled, roundTrip } = ann.stats();
      await Promise.all([ann.close(), bob.close()]);
      return { got, took, sent: sent.messages, settled, roundTrip };
    });
    assert.deepEqual([result.got, result.sent, result.settled], [Array.from({ length: 15 }, (_, n) => n), 15, 15]);
    assert.ok(result.took >= 195, String(result.took));
    assert.ok(result.roundTrip > 0, String(result.roundTrip));
  });
});
