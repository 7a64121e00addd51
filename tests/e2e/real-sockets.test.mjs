// How real sockets end, hang and stay silent, and what the package does in a page.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import net from 'node:net';
import { describe, test } from 'node:test';
import { WebSocketServer } from 'ws';
import { startServer } from '../../examples/node-server/server.mjs';
import { serve } from '../../examples/node-session-server/server.mjs';
import { browserName, chromiumOnly, kit } from './harness/kit.mjs';
import { startProxy } from './proxy.mjs';

const it = kit({ modules: ['wires'] });
const { skip } = it;
// Of a whole group.
const TIMEOUT = 240_000;

describe('a real socket', { skip, timeout: TIMEOUT }, () => {
  test('an upgrade that hangs does not lock the client out', async () => {
    // Browsers keep all but one connecting socket to a host waiting.
    const server = createServer();
    const wss = new WebSocketServer({ server });
    wss.on('connection', (socket) => socket.send('{"type":"welcome"}'));
    const upgrade = server.listeners('upgrade')[0];
    server.removeListener('upgrade', upgrade);
    let upgrades = 0;
    server.on('upgrade', (...args) => (++upgrades > 1 ? upgrade(...args) : args[1].on('error', () => {})));
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      const url = `ws://127.0.0.1:${server.address().port}`;
      const { attempts } = await it.inPage({ url }, async ({ watch, url }) => {
        const { wire, until } = watch(url, { connectTimeout: 1000, reconnect: { delayMin: 10, delayMax: 10 } });
        const { attempts } = await until((e) => e.name === 'open');
        await wire.close();
        return { attempts };
      });
      assert.deepEqual([attempts, upgrades], [1, 2]);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });

  // WebKitGTK 2.50 tells a bare socket, too, 1006 when it is sending as the close frame comes in: nobody could know better.
  test('the true code arrives although messages are being sent all the while', { skip: browserName === 'WebKit' && 'WebKit does not know it' }, async () => {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    await new Promise((resolve) => server.on('listening', resolve));
    const proxy = await startProxy({ targetPort: server.address().port, delay: 25 });
    let links = 0;
    server.on('connection', (socket) => {
      socket.send('{"type":"welcome"}');
      let heard = 0;
      if (++links === 1) socket.on('message', () => ++heard === 20 && socket.close(1012, 'the server restarts'));
    });
    try {
      const ends = await it.inPage({ url: proxy.url }, async ({ watch, url }) => {
        const { wire, until, named } = watch(url, { reconnect: { delayMin: 10, delayMax: 10 } });
        await until((e) => e.name === 'open');
        const timer = setInterval(() => wire.send('text', 'on and on'), 5);
        await until((e) => e.name === 'open' && e.link === 2);
        clearInterval(timer);
        await wire.close();
        return named('close').map(({ code, reason, cause }) => ({ code, reason, cause }));
      });
      assert.deepEqual(ends[0], { code: 1012, reason: 'the server restarts', cause: 'closed-by-server' });
    } finally {
      await proxy.close();
      server.close();
    }
  });

  test('the true code, reason and cleanness of every end are told', async () => {
    const server = await it.serve(startServer);
    const proxy = await it.proxyTo(server);
    const ends = [];
    const ways = [
      (socket) => socket.close(4000, 'bye'),
      (socket) => socket.close(1001),
      (socket) => socket.close(1000, 'done'),
      (socket) => socket.terminate(),
      () => proxy.resetAll(),
    ];
    await it.inPage({ url: proxy.url }, ({ watch, url }) => void (window.watched = watch(url)));
    for (const [n, end] of ways.entries()) {
      await it.inPage({ n }, ({ n }) => window.watched.until((e) => e.name === 'open' && window.watched.named('open').length === n + 1));
      end(server.connections.at(-1).socket);
      ends.push(await it.inPage({ n }, async ({ n }) => {
        await window.watched.until(() => window.watched.named('close').length === n + 1);
        return window.watched.named('close')[n];
      }));
    }
    await it.inPage({}, () => window.watched.wire.close());
    assert.deepEqual(
      ends.map(({ code, reason, wasClean, cause, willRetry }) => [code, reason, wasClean, cause, willRetry]),
      [
        [4000, 'bye', true, 'closed-by-server', true],
        [1001, '', true, 'closed-by-server', true],
        [1000, 'done', true, 'closed-by-server', true],
        [1006, '', false, 'lost', true],
        [1006, '', false, 'lost', true],
      ],
    );
  });

  test('close() while connecting: nobody answers, and it resolves all the same', async () => {
    const deaf = net.createServer((socket) => socket.on('error', () => {}).resume());
    deaf.listen(0, '127.0.0.1');
    await once(deaf, 'listening');
    it.cleanup(() => deaf.close());
    const result = await it.inPage({ url: `ws://127.0.0.1:${deaf.address().port}` }, async ({ watch, failure, url }) => {
      const { wire, named } = watch(url);
      const waiting = failure(() => wire.send('text', 'never'));
      await new Promise((resolve) => setTimeout(resolve, 0));
      await wire.close({ timeout: 0 });
      return { state: wire.state, sent: (await waiting).code, closes: named('close').map((e) => e.willRetry) };
    });
    assert.deepEqual(result, { state: 'closed', sent: 'closed', closes: [false] });
  });

  test('a server that selects none of the offered subprotocols is a failed dial, or the link is used; not a wedge', async () => {
    const wss = new WebSocketServer({ host: '127.0.0.1', port: 0, handleProtocols: () => false });
    await once(wss, 'listening');
    it.cleanup(() => wss.close());
    const causes = await it.inPage({ url: `ws://127.0.0.1:${wss.address().port}` }, async ({ watch, url }) => {
      const { wire, until, named } = watch(url, { protocols: ['chat'] });
      await until((e) => e.name === 'open' || (e.name === 'reconnecting' && e.attempt === 2));
      await wire.close();
      return named('reconnecting').map((e) => [e.cause, e.code]);
    });
    // Chromium fails such a handshake, as the standard says; Firefox and WebKitGTK let it pass.
    if (browserName !== 'Chromium') assert.deepEqual(causes, []);
    else assert.deepEqual(causes.slice(0, 2), [['dial-failed', 1006], ['dial-failed', 1006]]);
  });

  test('a server that never says a word is used as soon as its link has stayed up', async () => {
    const wss = new WebSocketServer({ host: '127.0.0.1', port: 0 });
    await once(wss, 'listening');
    it.cleanup(() => wss.close());
    const texts = [];
    wss.on('connection', (socket) => socket.on('message', (data) => texts.push(JSON.parse(data).content)));
    const undelivered = await it.inPage({ url: `ws://127.0.0.1:${wss.address().port}` }, async ({ watch, url }) => {
      const { wire, named } = watch(url);
      await wire.send('text', 'into the void');
      await wire.close();
      return named('undelivered').length;
    });
    assert.deepEqual(texts, ['into the void']);
    assert.equal(undelivered, 0, 'a clean close settles it');
  });
});

describe('the package in a page', { skip, timeout: TIMEOUT }, () => {
  /** Counts what WebAssembly is asked for, from before the first import. */
  const instrument = () => {
    window.made = { modules: 0, instances: 0 };
    const count = (Native, name) =>
      new Proxy(Native, {
        construct(target, args) {
          window.made[name] += 1;
          return Reflect.construct(target, args);
        },
      });
    WebAssembly.Module = count(WebAssembly.Module, 'modules');
    WebAssembly.Instance = count(WebAssembly.Instance, 'instances');
  };

  test('everwire: importing does nothing, connect() is synchronous, two wires share one instance', { skip: chromiumOnly }, async () => {
    const server = await it.serve(startServer);
    const page = await it.page({ init: instrument });
    const result = await page.evaluate(async (url) => {
      const { connect } = await import('everwire');
      const imported = { ...window.made };
      const wires = [connect(url), connect(url)];
      const states = wires.map(({ state }) => state);
      await Promise.all(wires.map((wire) => wire.send('text', 'hello')));
      await Promise.all(wires.map((wire) => wire.close()));
      return { imported, states, connected: { ...window.made } };
    }, server.url);
    assert.deepEqual(result, { imported: { modules: 0, instances: 0 }, states: ['connecting', 'connecting'], connected: { modules: 1, instances: 1 } });
    assert.deepEqual(server.contents(), ['hello', 'hello']);
  });

  test('everwire/slim: the wasm is a file of its own, asked for by init(); before it connect() throws', { skip: chromiumOnly }, async () => {
    const server = await it.serve(startServer);
    const page = await it.page();
    const asked = [];
    page.on('request', (request) => request.url().endsWith('.wasm') && asked.push(request.url()));
    const early = await page.evaluate(async (url) => {
      const { default: init, connect } = await import('everwire/slim');
      let early;
      try {
        connect(url);
      } catch (error) {
        early = error.name;
      }
      await Promise.all([init(), init()]);
      const wire = connect(url);
      await wire.send('text', 'slim');
      await wire.close();
      return early;
    }, server.url);
    assert.equal(early, 'TypeError');
    assert.equal(asked.length, 1);
    assert.deepEqual(server.contents(), ['slim']);
  });

  test('everwire/exactly-once/slim: as that', { skip: chromiumOnly }, async () => {
    const page = await it.page();
    const server = await serve({ origins: [new URL(page.url()).origin] });
    const asked = [];
    page.on('request', (request) => request.url().endsWith('.wasm') && asked.push(new URL(request.url()).pathname));
    const result = await page.evaluate(async (url) => {
      const { default: init, connect, EverwireError } = await import('everwire/exactly-once/slim');
      let early;
      try {
        connect(url);
      } catch (error) {
        early = error.name;
      }
      await init();
      const wire = connect(url);
      const { level } = await wire.send('text', 'slim', { to: 'room' });
      await wire.close();
      return [early, level, typeof EverwireError];
    }, server.url);
    await server.close();
    assert.deepEqual(result, ['TypeError', 'stored', 'function']);
    assert.deepEqual(asked, ['/pkg/exactly-once.wasm']);
  });
});
