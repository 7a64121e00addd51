// When the core itself fails: a trap in any entry is noticed at once, told, and does not stand in the way of the next
// `connect()`. The build under test has a hook that provokes the trap; the last tests prove that the published one has not.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { startServer } from '../../examples/node-server/server.mjs';
import { chromiumOnly, kit } from './harness/kit.mjs';
import { missingPackage, packageDir, trapDir } from './harness/site.mjs';
import { until } from './harness/wait.mjs';

const NOTICED_WITHIN_MS = 1000;
const HEARTBEAT_MS = 1000;
const HOOK = /trap_|provoke/;
const skip = missingPackage(trapDir) || chromiumOnly;
const it = kit({ skip, modules: [] });

const PLACES = ['an export', 'a socket event', 'a timer', 'a page event'];
const KINDS = ['a panic', 'a stack overflow'];

for (const [place, where] of PLACES.entries()) {
  for (const [kind, what] of KINDS.entries()) {
    test(`${what} in ${where} is noticed within a second`, { skip, timeout: 60_000 }, async () => {
      // gloo-timers registers closures of its own, so that what they throw reaches the page as well.
      it.tolerate(/RuntimeError|unreachable|Maximum call stack|everwire/);
      const server = await it.serve(startServer);
      const page = await it.page();
      await page.evaluate(
        async ({ url, heartbeat }) => {
          const internal = await import('/pkg-trap/testing-internal.js');
          const told = [];
          const watch = (name, wire) => {
            for (const event of ['error', 'close', 'undelivered']) {
              wire.addEventListener(event, (detail) => {
                const { cause, reason, willRetry, error, message } = detail;
                told.push({ wire: name, event, at: performance.now(), state: wire.state, cause, reason, willRetry, code: error?.code, content: message?.content });
              });
            }
          };
          // One wire in use, and one of the same instance that waits for a provider and holds a message.
          const used = internal.connect(url, { heartbeatInterval: heartbeat });
          const stuck = internal.connect(() => new Promise(() => {}), { connectTimeout: 120_000 });
          watch('used', used);
          watch('stuck', stuck);
          const rejected = stuck.send('text', 'pending').then(() => null, (error) => error.code);
          // Open, and nothing else happening: the greeting has come and this message has been echoed.
          const echoed = new Promise((resolve) => used.on('text', resolve));
          // An id of everwire's own would be recognised in the echo and settled by it.
          await used.send('text', 'written', { id: 'of-my-own' });
          await echoed;
          window.trap = { internal, used, stuck, told, rejected, url };
        },
        { url: server.url, heartbeat: HEARTBEAT_MS },
      );

      const before = await page.evaluate(
        ({ place, kind }) => {
          const { internal } = window.trap;
          internal.currentInstance().glue.trap_arm(place, kind);
          return performance.now();
        },
        { place, kind },
      );
      if (place === 0) await page.evaluate(() => void window.trap.used.send('text', 'the last straw').catch(() => {}));
      if (place === 1) server.connections[0].socket.send('{"type":"text","content":"the last straw"}');
      if (place === 3) await page.evaluate(() => window.dispatchEvent(new Event('online')));

      // A wait without a timer of the page's own: it must be noticed on an idle page.
      await page.waitForFunction(() => window.trap.told.filter(({ event }) => event === 'close').length === 2, null, { polling: 100, timeout: 20_000 });
      const result = await page.evaluate(async () => {
        const { internal, used, stuck, told, rejected, url } = window.trap;
        const closed = await Promise.all([used.close(), stuck.close()]);
        const late = await used.send('text', 'late').catch((error) => error.code);
        const fresh = internal.connect(url);
        const answered = new Promise((resolve) => fresh.on('text', resolve));
        await fresh.send('text', 'a fresh one works');
        await answered;
        await fresh.close();
        return { told, rejected: await rejected, late, states: [used.state, stuck.state] };
      });

      // The one timer is the heartbeat's, which comes within a second; the others are provoked at once.
      const within = NOTICED_WITHIN_MS + (place === 2 ? HEARTBEAT_MS : 0);
      for (const wire of ['used', 'stuck']) {
        const error = result.told.find((entry) => entry.wire === wire && entry.event === 'error');
        assert.equal(error.code, 'core-died');
        assert.equal(error.state, 'closed');
        assert.ok(error.at - before < within, `${wire}: told after ${error.at - before} ms`);
        const close = result.told.filter((entry) => entry.wire === wire && entry.event === 'close');
        assert.deepEqual(close.map(({ cause, willRetry }) => [cause, willRetry]), [['core-died', false]]);
      }
      assert.deepEqual(result.states, ['closed', 'closed']);
      assert.equal(result.rejected, 'core-died');
      assert.equal(result.late, 'closed');
      const undelivered = result.told.filter(({ event }) => event === 'undelivered');
      const fate = (content) => undelivered.filter((entry) => entry.content === content).map(({ reason }) => reason);
      assert.deepEqual(fate('pending'), ['never-written']);
      assert.deepEqual(fate('written'), ['in-doubt']);
      assert.equal(fate('late').length, 1);
      // Nobody reads from the dead instance's socket any more, so it must not stay open.
      await until(server.wss, 'change', () => server.connections[0].code !== null, { deadline: 10_000, what: 'the socket of the dead wire to close' });
      assert.ok(server.contents().includes('a fresh one works'));
    });
  }
}

describe('the published build', { skip: missingPackage() }, () => {
  test('has no hook that provokes a trap, neither in the wasm nor beside it', async () => {
    const files = readdirSync(packageDir, { recursive: true }).map(String);
    assert.ok(!files.some((file) => file.includes('testing-internal')), 'the internal entry is not there');
    const wasm = files.filter((file) => file.endsWith('.wasm'));
    assert.deepEqual(wasm.toSorted(), ['everwire.wasm', 'exactly-once.wasm']);
    for (const file of wasm) {
      const module = await WebAssembly.compile(readFileSync(path.join(packageDir, file)));
      const names = WebAssembly.Module.exports(module).map(({ name }) => name);
      assert.ok(names.some((name) => name === 'wire_create'), 'these are the exports');
      assert.deepEqual(names.filter((name) => HOOK.test(name)), [], file);
    }
    for (const file of files.filter((file) => file.endsWith('.js'))) {
      assert.doesNotMatch(readFileSync(path.join(packageDir, file), 'utf8'), /trap_arm/, file);
    }
  });

  test('the same check finds the hook where it is', { skip: skip || (!existsSync(trapDir) && 'no trap build') }, async () => {
    const module = await WebAssembly.compile(readFileSync(path.join(trapDir, 'everwire.wasm')));
    assert.ok(WebAssembly.Module.exports(module).some(({ name }) => HOOK.test(name)));
  });
});
