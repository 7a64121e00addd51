// Importing an entry does nothing, and a page may forbid its storage: both in every browser.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { startServer as startEcho } from '../../examples/node-server/server.mjs';
import { inEachBrowser } from './harness/browsers.mjs';
import { missingPackage } from './harness/site.mjs';
import { servers, startServer } from './servers-under-test.mjs';

const session = servers.find(({ name }) => name === 'examples/node-session-server');

inEachBrowser((browser) => {
  describe(`imports in ${browser.name}`, { skip: missingPackage(), timeout: 120_000 }, () => {
    let lab;
    before(async () => (lab = await browser.start()));
    after(() => lab?.close());

    test('no timer, randomness, network, listener, storage or WebAssembly before connect(); storage that throws is not missed', async () => {
      const echo = await startEcho();
      const server = await startServer(session, { origin: lab.site.origin });
      const page = await lab.page();
      try {
        const result = await page.evaluate(watchImports, { echo: echo.url, session: `ws://127.0.0.1:${server.port}${server.path}` });
        assert.deepEqual(result.atImport, [], 'what importing has used');
        for (const used of ['setTimeout', 'getRandomValues', 'WebSocket', 'Module']) assert.ok(result.atConnect.includes(used), `the watch sees ${used}`);
        // What a page holds goes with it, as the README's table says; nothing is written that might or might not outlast it.
        assert.deepEqual(result.atConnect.filter((name) => /storage|indexedDB/i.test(name)), [], 'what wires store');
        assert.deepEqual(result.levels, ['written', 'stored']);
        assert.deepEqual(await page.problems(), []);
      } finally {
        await page.close();
        await server.close();
        await echo.close();
      }
    });
  });
});

/** Runs in the page: what is used while the entries are imported, and what by the first wires. */
async function watchImports(urls) {
  const used = new Set();
  const watch = (owner, name) => {
    const watched = new Proxy(owner[name], {
      apply: (target, self, args) => (used.add(name), Reflect.apply(target, self, args)),
      construct: (target, args) => (used.add(name), Reflect.construct(target, args)),
    });
    Object.defineProperty(owner, name, { value: watched, configurable: true, writable: true });
  };
  for (const name of ['setTimeout', 'setInterval', 'fetch', 'WebSocket', 'Worker', 'addEventListener']) watch(window, name);
  watch(document, 'addEventListener');
  watch(crypto, 'getRandomValues');
  watch(Math, 'random');
  watch(WebAssembly, 'Module');
  watch(WebAssembly, 'Instance');
  for (const name of ['localStorage', 'sessionStorage', 'indexedDB']) {
    Object.defineProperty(window, name, {
      configurable: true,
      get() {
        used.add(name);
        throw new DOMException('forbidden', 'SecurityError');
      },
    });
  }
  const [{ connect }, , exactlyOnce] = await Promise.all([import('everwire'), import('everwire/slim'), import('everwire/exactly-once')]);
  const atImport = [...used];
  const wires = [connect(urls.echo), exactlyOnce.connect(urls.session)];
  const receipts = [wires[0].send('text', 1), wires[1].send('text', 1, { to: 'room' })];
  const levels = (await Promise.all(receipts)).map(({ level }) => level);
  await Promise.all(wires.map((wire) => wire.close()));
  return { atImport, atConnect: [...used], levels };
}
