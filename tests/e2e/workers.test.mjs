// The package as it is built, in each kind of worker of each browser: it connects, sends, receives, lives through a link that is
// cut, and closes.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { startServer as startEcho } from '../../examples/node-server/server.mjs';
import { inEachBrowser } from './harness/browsers.mjs';
import { cleanups } from './harness/cleanup.mjs';
import { missingPackage } from './harness/site.mjs';
import { startProxy } from './proxy.mjs';
import { servers, startServer } from './servers-under-test.mjs';

const skip = missingPackage();
const TIMEOUT = 240_000;
const SCOPES = { dedicated: 'DedicatedWorkerGlobalScope', shared: 'SharedWorkerGlobalScope', service: 'ServiceWorkerGlobalScope' };
const session = servers.find(({ name }) => name === 'examples/node-session-server');

inEachBrowser((browser) => {
  describe(`workers in ${browser.name}`, { skip, timeout: TIMEOUT }, () => {
    let lab;
    let page;
    const cleanup = cleanups();
    before(async () => (lab = await browser.start()));
    after(() => lab?.close());

    /** A page with a worker of this kind: what calls it. */
    async function work(kind) {
      page = await lab.page();
      cleanup.push(async () => {
        await page.evaluate(async () => {
          for (const registration of (await navigator.serviceWorker?.getRegistrations()) ?? []) await registration.unregister();
        });
        await page.close();
      });
      await page.evaluate(async (kind) => {
        const { start } = await import('/page/workers.mjs');
        window.work = await start(kind);
      }, kind);
      return (name, argument = null) => page.evaluate(({ name, argument }) => window.work(name, argument), { name, argument });
    }

    async function proxied({ port, close }) {
      cleanup.push(close);
      const proxy = await startProxy({ targetPort: port });
      cleanup.push(() => proxy.close());
      return proxy;
    }

    for (const kind of ['dedicated', 'shared', 'service']) {
      for (const entry of kind === 'shared' ? ['everwire'] : ['everwire', 'everwire/slim']) {
        test(`${entry} in a ${kind} worker`, async () => {
          const proxy = await proxied(await startEcho());
          const call = await work(kind);
          // A classic script has no address of its own, from which the WebAssembly would be found.
          const wasm = kind === 'service' ? `${lab.site.origin}/pkg/everwire.wasm` : undefined;
          const { scope, page: document } = await call('connect', { entry, url: proxy.url, wasm });
          assert.deepEqual([scope, document], [SCOPES[kind], 'undefined']);
          await call('send', { from: 0, count: 50 });
          await call('received', 50);
          proxy.resetAll();
          await call('opened', 2);
          await call('send', { from: 50, count: 50 });
          await call('received', 100);
          const { received, undelivered, errors } = await call('report');
          assert.deepEqual(received, numbers(100));
          assert.deepEqual([undelivered, errors], [0, []]);
          assert.deepEqual(new Set(await call('settle')), new Set(['written']));
          assert.equal(await call('close'), 'closed');
        });
      }

      test(`everwire/exactly-once in a ${kind} worker`, async () => {
        const server = await startServer(session, { origin: lab.site.origin });
        const proxy = await proxied(server);
        const call = await work(kind);
        const { scope } = await call('connect', { entry: 'everwire/exactly-once', url: proxy.url + server.path });
        assert.equal(scope, SCOPES[kind]);
        // Cut with all of them on their way.
        await call('send', { from: 0, count: 300 });
        proxy.resetAll();
        await call('send', { from: 300, count: 300 });
        await call('opened', 2);
        assert.deepEqual(new Set(await call('settle')), new Set(['stored']));
        await call('received', 600);
        const { received, undelivered, errors } = await call('report');
        assert.deepEqual(received, numbers(600));
        assert.deepEqual([undelivered, errors], [0, []]);
        assert.equal(await call('close'), 'closed');
      });
    }

    // Only Chromium can be asked to do it. Each browser does it by itself.
    test('a service worker that is stopped begins anew', { skip: browser.name !== 'Chromium' && 'no way to stop one here' }, async () => {
      const server = await startServer(session, { origin: lab.site.origin });
      const proxy = await proxied(server);
      const call = await work('service');
      const where = { entry: 'everwire/exactly-once', url: proxy.url + server.path };
      await call('connect', where);
      await call('send', { from: 0, count: 1 });
      await call('received', 1);
      await page.stopServiceWorkers();
      assert.deepEqual(await call('report'), { opens: 0, received: [], undelivered: 0, errors: [], state: 'none' });
      await call('connect', where);
      await call('send', { from: 1, count: 1 });
      await call('received', 1);
      assert.deepEqual((await call('report')).received, [1], 'what was said before it joined is history');
      assert.equal(await call('close'), 'closed');
    });
  });
});

const numbers = (count) => Array.from({ length: count }, (_, at) => at);
