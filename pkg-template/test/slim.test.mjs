import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { emptyWasm, facade } from './helpers.mjs';

let server;
let base;
before(async () => {
  server = createServer(({ url }, response) => {
    // The wrong type on purpose: many servers do not know .wasm.
    response.writeHead(url === '/everwire.wasm' ? 200 : 404, { 'content-type': 'text/plain' }).end(emptyWasm);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${server.address().port}`;
});
after(() => server.close());

test('connect() before init() says so', async () => {
  const { open } = await facade('slim');
  assert.throws(() => open(), { name: 'TypeError', code: 'connect', message: /await init\(\)/ });
});

const inputs = {
  bytes: () => emptyWasm,
  'an ArrayBuffer': () => new Uint8Array(emptyWasm).buffer,
  'a module': () => new WebAssembly.Module(emptyWasm),
  'a promise of a module': () => WebAssembly.compile(emptyWasm),
  'a url string': () => `${base}/everwire.wasm`,
  'a URL': () => new URL('/everwire.wasm', base),
  'a Request': () => new Request(`${base}/everwire.wasm`),
  'a promise of a Response': () => fetch(`${base}/everwire.wasm`),
  'a Response': () => new Response(emptyWasm),
};

for (const [name, input] of Object.entries(inputs)) {
  test(`init() takes ${name}`, async () => {
    const { default: init, open } = await facade('slim');
    assert.equal(await init(input()), undefined);
    assert.equal(open().state, 'connecting');
    await init();
  });
}

test('a failed init() rejects and may be repeated', async () => {
  const { default: init, open } = await facade('slim');
  await assert.rejects(init(`${base}/nowhere.wasm`), { name: 'TypeError', code: 'connect', message: /404/ });
  await assert.rejects(init(new Uint8Array([1, 2, 3])), WebAssembly.CompileError);
  await assert.rejects(init(Promise.reject(new Error('offline'))), /offline/);
  await init(emptyWasm);
  assert.equal(open().state, 'connecting');
});

test('concurrent calls load once', async () => {
  const { default: init } = await facade('slim');
  const [first, second] = [init(emptyWasm), init('never fetched:')];
  assert.equal(first, second);
  await first;
});
