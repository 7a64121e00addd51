// The demo's server without a page: what it serves, and to whom.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { start } from '../server.mjs';
import { askOf, upgrade } from './ask.mjs';

let demo;
let ask;
before(async () => {
  demo = await start({ program: null });
  ask = askOf(demo);
});
after(() => demo?.close());

describe('the server', () => {
  test('serves the page under a strict policy, and only what is the page', async () => {
    const page = await ask('/');
    assert.equal(page.status, 200);
    assert.match(page.headers['content-security-policy'], /default-src 'self'; script-src 'self' 'wasm-unsafe-eval';.*require-trusted-types-for 'script'/);
    assert.equal((await ask('/pkg/index.js')).headers['content-type'], 'text/javascript; charset=utf-8');
    assert.equal((await ask('/pkg/everwire.wasm')).headers['content-type'], 'application/wasm');
    for (const path of ['/server.mjs', '/rooms.mjs', '/README.md', '/test/demo.test.mjs', '/../Cargo.toml', '/%2e%2e/Cargo.toml', '/pkg/../Cargo.toml', '/pkg/..%2f..%2fetc/passwd', '/pkg/', '/.env', '/a%00.js']) {
      assert.equal((await ask(path)).status, 404, path);
    }
    assert.equal((await ask('/%')).status, 400);
    assert.equal((await ask('/', { method: 'DELETE' })).status, 405);
    assert.equal((await ask('/', { headers: { Host: 'elsewhere.example' } })).status, 421);
  });

  test('offers what it can deliver', async () => {
    assert.deepEqual(JSON.parse((await ask('/deliveries.json')).text), ['best-effort']);
  });

  test('takes orders from its own page only', async () => {
    const own = new URL(demo.url).origin;
    const order = (headers, path = '/control/kill?room=r', method = 'POST') => ask(path, { method, headers });
    assert.equal((await order({ Origin: own })).status, 200);
    assert.equal((await order({})).status, 403);
    assert.equal((await order({ Origin: 'http://elsewhere.example' })).status, 403);
    assert.equal((await order({ Origin: own }, '/control/kill?room=r', 'GET')).status, 405);
    assert.equal((await order({ Origin: own }, '/control/nonsense?room=r')).status, 404);
    assert.equal((await order({ Origin: own }, '/control/kill?room=r&delivery=exactly-once')).status, 404, 'no everwire-server was started');
    assert.equal((await order({ Origin: own }, '/control/kill?room=r&delivery=constructor')).status, 404);
    assert.equal((await order({ Origin: own }, '/control/kill')).status, 400);
    assert.equal((await order({ Origin: own }, '/control/refuse?room=r&seconds=3600')).status, 400);
  });

  test('lets no foreign page into the chat', async () => {
    assert.equal((await ask('/chat?room=r&user=eve', { headers: { ...upgrade, Origin: 'http://elsewhere.example' } })).status, 404);
    assert.equal((await ask('/elsewhere', { headers: upgrade })).status, 404);
    assert.equal((await ask('/session?room=r&user=eve', { headers: upgrade })).status, 404, 'no everwire-server was started');
    assert.equal((await ask('/chat?room=r', { headers: upgrade })).status, 400);
  });
});
