// Bad input, from the application and from the server: an error with a class and a code, never a wedged wire.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { startServer } from '../../examples/node-server/server.mjs';
import { chromiumOnly, kit } from './harness/kit.mjs';
import { answer } from './harness/site.mjs';
import { until } from './harness/wait.mjs';

const it = kit();
const { skip } = it;
// Of a whole group.
const TIMEOUT = 240_000;

describe('send', { skip, timeout: TIMEOUT }, () => {
  test('content that JSON cannot hold: rejected with a code, undelivered tells, the wire goes on', async () => {
    const server = await it.serve(startServer);
    const result = await it.inPage({ url: server.url }, async ({ watch, failure, url }) => {
      const { wire, named } = watch(url);
      const cycle = { name: 'loop' };
      cycle.self = cycle;
      const cases = { cycle, bigint: 10n, undefined: undefined, function: () => {}, blob: new Blob(['x']), binary: new Uint8Array(3) };
      const failures = {};
      for (const [name, content] of Object.entries(cases)) failures[name] = await failure(() => wire.send('text', content));
      await wire.send('text', 'good');
      await wire.close();
      return { failures, undelivered: named('undelivered').map(({ reason, id }) => ({ reason, id })) };
    });
    for (const [name, error] of Object.entries(result.failures)) {
      assert.equal(error?.code, name === 'binary' ? 'binary-disabled' : 'content', name);
      assert.ok(error.isError);
    }
    assert.equal(result.undelivered.length, 6);
    assert.ok(result.undelivered.every(({ reason, id }) => reason === 'never-written' && typeof id === 'string'));
    assert.deepEqual(server.contents(), ['good']);
  });

  test('after close(): rejected as closed, undelivered tells, nothing is sent', async () => {
    const server = await it.serve(startServer);
    const result = await it.inPage({ url: server.url }, async ({ watch, failure, url }) => {
      const { wire, named, untilState, until } = watch(url);
      await untilState('open');
      const closing = wire.close();
      const during = await failure(() => wire.send('text', 'during'));
      await closing;
      const after = await failure(() => wire.send('text', 'after'));
      await until((e) => e.name === 'undelivered' && e.content === 'after');
      return { during, after, undelivered: named('undelivered') };
    });
    assert.equal(result.during.code, 'closed');
    assert.equal(result.after.code, 'closed');
    assert.deepEqual(result.undelivered.map(({ content, reason, cause }) => [content, reason, cause]), [
      ['during', 'never-written', 'closed'],
      ['after', 'never-written', 'closed'],
    ]);
    assert.deepEqual(server.contents(), []);
  });

  test('over the limit, in UTF-8 bytes: rejected as too-large; a message at the limit goes', async () => {
    const server = await it.serve(startServer);
    const result = await it.inPage({ url: server.url }, async ({ watch, failure, url }) => {
      const { wire, named } = watch(url, { maxMessageBytes: 1000 });
      // 400 characters of 3 bytes: short in UTF-16, long in UTF-8.
      const over = await failure(() => wire.send('text', '€'.repeat(400)));
      const fits = await failure(() => wire.send('text', '€'.repeat(250)));
      await wire.close();
      return { over, fits, undelivered: named('undelivered') };
    });
    assert.equal(result.over.code, 'too-large');
    assert.equal(result.fits, null);
    assert.deepEqual(result.undelivered.map(({ reason, cause }) => [reason, cause]), [['never-written', 'too-large']]);
    assert.deepEqual(server.contents(), ['€'.repeat(250)]);
  });

  for (const overflow of ['reject', 'drop-oldest']) {
    test(`a full outbox, ${overflow}: by count and by bytes, what waits stays in order`, async () => {
      const server = await it.serve(startServer);
      const proxy = await it.proxyTo(server);
      await proxy.down();
      await it.inPage({ url: proxy.url, overflow }, async ({ watch, failure, url, overflow }) => {
        window.byCount = watch(url, { outbox: { maxMessages: 3, overflow } });
        window.countSends = [1, 2, 3, 4, 5].map((n) => failure(() => window.byCount.wire.send('text', n)));
        const { wire, until } = window.byCount;
        await until((e) => e.name === 'undelivered' && e.content === (overflow === 'reject' ? 5 : 2));
        if (wire.queued !== 3) throw new Error(`queued ${wire.queued}`);
        if (!(wire.queuedBytes > 300)) throw new Error(`queuedBytes ${wire.queuedBytes}`);
        window.byBytes = watch(url, { maxMessageBytes: 1000, outbox: { maxBytes: 1000, overflow } });
        window.bytesSends = ['a', 'b', 'c'].map((c) => failure(() => window.byBytes.wire.send('text', c.repeat(300))));
        await window.byBytes.until((e) => e.name === 'undelivered' && e.content === (overflow === 'reject' ? 'c' : 'a').repeat(300));
      });
      await proxy.up();
      const result = await it.inPage({}, async () => {
        const codes = [...(await Promise.all(window.countSends)), ...(await Promise.all(window.bytesSends))].map((f) => f?.code ?? null);
        await window.byCount.wire.close();
        await window.byBytes.wire.close();
        return { codes, undelivered: [...window.byCount.named('undelivered'), ...window.byBytes.named('undelivered')] };
      });
      const full = 'outbox-full';
      const expected = overflow === 'reject' ? [null, null, null, full, full, null, null, full] : [full, full, null, null, null, full, null, null];
      assert.deepEqual(result.codes, expected);
      assert.ok(result.undelivered.every(({ reason }) => reason === 'never-written'));
      assert.equal(result.undelivered.length, 3);
      const numbers = server.contents().filter((content) => typeof content === 'number');
      assert.deepEqual(numbers, overflow === 'reject' ? [1, 2, 3] : [3, 4, 5]);
      const letters = server.contents().filter((content) => typeof content === 'string').map((content) => content[0]);
      assert.deepEqual(letters, overflow === 'reject' ? ['a', 'b'] : ['b', 'c']);
    });
  }

  test('a promise that nobody looks at is no unhandled rejection', async () => {
    const server = await it.serve(startServer);
    const undelivered = await it.inPage({ url: server.url }, async ({ watch, url }) => {
      const { wire, named, until: seen } = watch(url, { maxMessageBytes: 200 });
      wire.send('text', 'x'.repeat(500));
      wire.send('text', 1n);
      const controller = new AbortController();
      wire.send('text', 'aborted', { signal: controller.signal });
      controller.abort();
      await seen((e) => e.name === 'undelivered' && e.cause === 'aborted');
      await wire.close();
      wire.send('text', 'closed');
      await seen((e) => e.name === 'undelivered' && e.cause === 'closed');
      // An unhandled rejection is reported in a task of its own.
      await new Promise((resolve) => setTimeout(resolve, 0));
      return named('undelivered').length;
    });
    assert.equal(undelivered, 4);
  });
});

describe('frames', { skip, timeout: TIMEOUT }, () => {
  test('no JSON, no envelope, over the limit: an error event each, the connection is kept', async () => {
    const server = await it.serve(startServer, {});
    await it.inPage({ url: server.url }, async ({ watch, url }) => {
      window.watched = watch(url, { maxMessageBytes: 1000 });
      await window.watched.untilState('open');
    });
    const { socket } = server.connections[0];
    const bad = ['no JSON', '"text"', '17', 'null', '{}', '{"type":5}', '[{"type":"text","content":"in a batch"},{}]', 'x'.repeat(2000), Buffer.from([0xff, 0xfe, 0x00]), ''];
    for (const frame of bad) socket.send(frame);
    socket.send('[{"type":"text","content":"batch 1"},{"type":"text","content":"batch 2"}]');
    socket.send('{"type":"text","content":"last"}');
    const result = await it.inPage({}, async () => {
      const { wire, until, named, messages } = window.watched;
      await until((e) => e.name === 'message' && e.message.content === 'last');
      const { state } = wire;
      await wire.close();
      return { state, errors: named('error').map((e) => e.code), links: named('open').length, contents: messages().map((m) => m.content) };
    });
    assert.equal(result.state, 'open');
    assert.equal(result.links, 1);
    assert.equal(result.errors.length, bad.length);
    assert.deepEqual(result.errors.filter((code) => code !== 'malformed-frame'), ['too-large']);
    assert.deepEqual(result.contents.filter(Boolean), ['in a batch', 'batch 1', 'batch 2', 'last']);
  });

  test('text, binary JSON and large frames are received in the order in which they were sent', async () => {
    const server = await it.serve(startServer);
    await it.inPage({ url: server.url }, async ({ watch, url }) => {
      window.watched = watch(url, { maxMessageBytes: 4_000_000 });
      await window.watched.untilState('open');
    });
    const { socket } = server.connections[0];
    for (let n = 0; n < 60; n++) {
      const text = JSON.stringify({ type: 'text', content: n, padding: n % 10 ? '' : 'x'.repeat(1_000_000) });
      // As a Blob a large binary frame would be overtaken by the text behind it.
      socket.send(n % 2 ? text : Buffer.from(text));
    }
    const order = await it.inPage({}, async () => {
      const { until, messages, wire } = window.watched;
      await until((e) => e.name === 'message' && e.message.content === 59);
      await wire.close();
      return messages().filter(({ type }) => type === 'text').map(({ content }) => content);
    });
    assert.deepEqual(order, [...Array(60).keys()]);
  });

  test('binary content: there and back, bytes intact; off, such a frame is malformed', async () => {
    const server = await it.serve(startServer);
    const result = await it.inPage({ url: server.url }, async ({ watch, url }) => {
      const on = watch(url, { binary: true, types: ['image'] });
      const off = watch(url, { types: ['image'] });
      await Promise.all([on.untilState('open'), off.untilState('open')]);
      const bytes = Uint8Array.from({ length: 300 }, (_, i) => i % 256);
      await on.wire.send('image', bytes, { to: 'room' });
      const { message } = await on.until((e) => e.name === 'message');
      await off.until((e) => e.name === 'error');
      const states = [on.wire.state, off.wire.state];
      await Promise.all([on.wire.close(), off.wire.close()]);
      return { content: [...message.content], receiver: message.receiver, isBytes: message.content instanceof Uint8Array, error: off.named('error')[0].code, states };
    });
    assert.ok(result.isBytes);
    assert.deepEqual(result.content, Array.from({ length: 300 }, (_, i) => i % 256));
    assert.equal(result.receiver, 'room');
    assert.equal(result.error, 'malformed-frame');
    assert.deepEqual(result.states, ['open', 'open']);
    // Whichever of the two connected first.
    assert.deepEqual(server.connections.flatMap(({ frames }) => frames).map(({ isBinary }) => isBinary), [true]);
  });
});

describe('connect', { skip, timeout: TIMEOUT }, () => {
  test('an invalid url, an illegal subprotocol, a bad option: thrown at once, nothing is dialled', async () => {
    const result = await it.inPage({}, async ({ failure, watch }) => {
      let dialled = 0;
      const WebSocket = class extends EventTarget {
        constructor() {
          super();
          dialled += 1;
        }
      };
      const at = (url, options) => failure(() => void watch(url, { WebSocket, ...options }));
      const answers = {
        noUrl: await at('http://'),
        scheme: await at('ftp://127.0.0.1/'),
        fragment: await at('ws://127.0.0.1/#part'),
        space: await at('ws://127.0.0.1/', { protocols: ['two words'] }),
        twice: await at('ws://127.0.0.1/', { protocols: ['a', 'a'] }),
        empty: await at('ws://127.0.0.1/', { protocols: [''] }),
        token: await at('ws://127.0.0.1/', { token: 'a, b=c' }),
        unknown: await at('ws://127.0.0.1/', { hartbeat: 1 }),
        range: await at('ws://127.0.0.1/', { heartbeatInterval: 5 }),
        exactly: await at('ws://127.0.0.1/', { delivery: 'exactly-once' }),
      };
      await new Promise((resolve) => setTimeout(resolve, 0));
      return { answers, dialled };
    });
    for (const [name, error] of Object.entries(result.answers)) assert.equal(error?.name, 'TypeError', name);
    assert.match(result.answers.range.message, /heartbeatInterval/);
    assert.match(result.answers.range.message, /1[ ,_]?000/);
    assert.match(result.answers.unknown.message, /hartbeat/);
    assert.doesNotMatch(result.answers.token.message, /a, b=c/, 'no token in a message');
    assert.equal(result.dialled, 0);
  });

  test('ws: on an https page: thrown at once; wss: and a relative url are fine', { skip: chromiumOnly }, async () => {
    const asked = [];
    const page = await it.page({
      url: 'https://everwire.test/',
      prepare: (page) =>
        page.route('https://everwire.test/**', async (route) => {
          asked.push(route.request().url());
          const { status, type, body } = await answer(new URL(route.request().url()).pathname);
          await route.fulfill({ status, contentType: type, body: Buffer.from(body) });
        }),
    });
    assert.equal(await page.evaluate(() => location.protocol), 'https:');
    const result = await it.inPage({}, async ({ failure, watch }) => {
      const plain = await failure(() => void watch('ws://chat.everwire.test/'));
      const urls = [];
      const WebSocket = class extends EventTarget {
        readyState = 0;
        constructor(url) {
          super();
          urls.push(String(url));
        }
        send() {}
        close() {}
      };
      const wires = [watch('wss://chat.everwire.test/', { WebSocket }), watch('/chat?room=1', { WebSocket }), watch('https://chat.everwire.test/x', { WebSocket })];
      await new Promise((resolve) => setTimeout(resolve, 0));
      await Promise.all(wires.map(({ wire }) => wire.close()));
      return { plain, urls };
    });
    assert.equal(result.plain?.name, 'TypeError');
    assert.deepEqual(result.urls, ['wss://chat.everwire.test/', 'wss://everwire.test/chat?room=1', 'wss://chat.everwire.test/x']);
    assert.ok(asked.length > 0);
  });

  test('http: and relative urls become ws: on an http page', async () => {
    const server = await it.serve(startServer);
    const urls = await it.inPage({ url: server.url.replace('ws:', 'http:') }, async ({ watch, url }) => {
      const { wire, untilState } = watch(url);
      await untilState('open');
      await wire.close();
      const seen = [];
      const WebSocket = class extends EventTarget {
        readyState = 0;
        constructor(url) {
          super();
          seen.push(String(url));
        }
        send() {}
        close() {}
      };
      const relative = watch('./chat', { WebSocket });
      await new Promise((resolve) => setTimeout(resolve, 0));
      await relative.wire.close();
      return seen;
    });
    assert.deepEqual(urls, [`${it.lab.site.origin.replace('http:', 'ws:')}/chat`]);
  });
});

describe('close', { skip, timeout: TIMEOUT }, () => {
  test('a reason over 123 bytes is cut at a character boundary', async () => {
    const server = await it.serve(startServer);
    await it.inPage({ url: server.url }, async ({ watch, url }) => {
      for (const reason of ['é'.repeat(100), 'a' + '🦀'.repeat(40), 'x'.repeat(123), 'short']) {
        const { wire, untilState } = watch(url);
        await untilState('open');
        await wire.close({ code: 4000, reason });
      }
    });
    await until(server.wss, 'change', () => server.connections.every(({ code }) => code !== null));
    assert.deepEqual(server.connections.map(({ code }) => code), [4000, 4000, 4000, 4000]);
    assert.deepEqual(server.connections.map(({ reason }) => reason), ['é'.repeat(61), 'a' + '🦀'.repeat(30), 'x'.repeat(123), 'short']);
  });

  test('a code that can never be sent is refused, and the wire stays open', async () => {
    const server = await it.serve(startServer);
    const result = await it.inPage({ url: server.url }, async ({ watch, failure, url }) => {
      const { wire, untilState } = watch(url);
      await untilState('open');
      const codes = [];
      for (const code of [1005, 1006, 1015, 999, 2000, 5000, 1001]) codes.push(await failure(() => wire.close({ code })));
      const { state } = wire;
      await wire.close();
      return { names: codes.map((error) => error?.name), state };
    });
    assert.equal(result.state, 'open');
    assert.deepEqual(result.names, Array(7).fill('TypeError'));
  });
});

describe('handlers and providers', { skip, timeout: TIMEOUT }, () => {
  test('a handler that throws or rejects is reported, the others still run, the connection is kept', async () => {
    const server = await it.serve(startServer);
    const result = await it.inPage({ url: server.url }, async ({ watch, url }) => {
      const { wire, until, named, untilState, messages } = watch(url, { types: [] });
      let ran = 0;
      wire.on('text', () => {
        throw new Error('first');
      });
      wire.on('text', async () => {
        throw new Error('second');
      });
      wire.on('text', (message) => {
        ran += 1;
      });
      await untilState('open');
      await wire.send('text', 1);
      await wire.send('text', 2);
      await until(() => ran === 2 && named('error').length === 4).catch(() => {});
      const { state } = wire;
      await wire.close();
      return { ran, errors: named('error').map((e) => e.code), state, links: named('open').length };
    });
    assert.equal(result.ran, 2);
    assert.deepEqual(result.errors, Array(4).fill('handler'));
    assert.equal(result.state, 'open');
    assert.equal(result.links, 1);
  });

  test('handlers may connect, close, send and unsubscribe in the middle of anything', async () => {
    const server = await it.serve(startServer);
    const result = await it.inPage({ url: server.url }, async ({ watch, url }) => {
      const first = watch(url);
      const others = [];
      const { wire, until } = first;
      const off = wire.on('text', () => off());
      wire.addEventListener('open', () => {
        if (!others.length) others.push(watch(url));
        wire.send('text', 'from open');
      });
      let again = true;
      wire.addEventListener('statechange', () => {
        // Drops the link before anyone has heard that it is open.
        if (again && wire.state === 'open') wire.reconnect();
        again = false;
      });
      let closing;
      wire.on('text', () => {
        wire.send('text', 'from a handler').catch(() => {});
        closing ??= wire.close();
      });
      await until((e) => e.name === 'close' && !e.willRetry);
      await closing;
      await others[0].wire.send('text', 'from another wire');
      await others[0].wire.close();
      return { state: wire.state, errors: first.named('error').map((e) => e.code), others: others.length };
    });
    assert.deepEqual(result, { state: 'closed', errors: [], others: 1 });
    assert.ok(server.contents().includes('from open'));
    assert.ok(server.contents().includes('from another wire'));
  });

  for (const option of ['url', 'token', 'protocols']) {
    test(`a ${option} function that throws, rejects or never answers is a failed attempt`, async () => {
      const server = await it.serve(startServer);
      const result = await it.inPage({ url: server.url, option }, async ({ watch, url, option }) => {
        let asked = 0;
        const good = { url, token: 'fine', protocols: ['fine'] }[option];
        const provider = () => {
          asked += 1;
          if (asked === 1) throw new Error('thrown');
          if (asked === 2) return Promise.reject(new Error('rejected'));
          if (asked === 3) return new Promise(() => {});
          return good;
        };
        const { wire, named } = option === 'url' ? watch(provider, { connectTimeout: 1000 }) : watch(url, { [option]: provider, connectTimeout: 1000 });
        await wire.send('text', 'at last');
        await wire.close();
        return { asked, causes: named('reconnecting').map((e) => e.cause), errors: named('error').map((e) => e.code) };
      });
      assert.equal(result.asked, 4);
      assert.deepEqual(result.causes, ['provider-failed', 'provider-failed', 'provider-timeout']);
      assert.ok(result.errors.filter((code) => code === 'provider').length >= 2);
      assert.deepEqual(server.contents(), ['at last']);
      assert.equal(server.connections.length, 1);
    });
  }

  test('a provider that answers after close() dials nothing', async () => {
    const server = await it.serve(startServer);
    const state = await it.inPage({ url: server.url }, async ({ watch, url }) => {
      let give;
      const { wire } = watch(url, { token: () => new Promise((resolve) => (give = resolve)) });
      await new Promise((resolve) => setTimeout(resolve, 0));
      await wire.close();
      give('late');
      const other = watch(url);
      await other.untilState('open');
      await other.wire.close();
      return wire.state;
    });
    assert.equal(state, 'closed');
    assert.equal(server.connections.length, 1);
  });
});
