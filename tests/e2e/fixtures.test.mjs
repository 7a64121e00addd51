// The servers are what they claim to be: seen from a plain `ws` client, no browser, nothing of everwire.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { afterEach, test } from 'node:test';
import { WebSocket } from 'ws';
import { startServer } from '../../examples/node-server/server.mjs';
import { startBareServer } from './bare-server.mjs';
import { root } from './harness/site.mjs';

const cleanup = [];
afterEach(async () => {
  for (const undo of cleanup.splice(0).reverse()) await undo();
});

async function serve(start, options) {
  const server = await start(options);
  cleanup.push(() => server.close());
  return server;
}

/** A client that keeps what came: `[isBinary, text]`. */
function dial(url, protocols = []) {
  const socket = new WebSocket(url, protocols);
  socket.frames = [];
  socket.on('message', (data, isBinary) => socket.frames.push([isBinary, data.toString()]));
  socket.on('error', () => {});
  cleanup.push(() => socket.terminate());
  return socket;
}

async function frames(socket, count) {
  while (socket.frames.length < count) await once(socket, 'message');
  return socket.frames;
}

for (const [name, start] of [['node-server', startServer], ['bare server', startBareServer]]) {
  test(`${name}: greets, then forwards what comes to everybody as a binary frame, heartbeats too`, async () => {
    const server = await serve(start);
    const [a, b] = [dial(server.url), dial(server.url)];
    const [[isBinary, greeting]] = await frames(a, 1);
    assert.equal(isBinary, false);
    assert.equal(JSON.parse(greeting).type, 'welcome');
    assert.equal(typeof JSON.parse(greeting).message, 'string');
    assert.equal(JSON.parse(greeting).id, undefined);
    await frames(b, 1);
    a.send('{"type":"heartbeat"}');
    a.send('not even JSON');
    for (const client of [a, b]) {
      assert.deepEqual((await frames(client, 3)).slice(1), [[true, '{"type":"heartbeat"}'], [true, 'not even JSON']]);
    }
  });

  test(`${name}: the last subprotocol is the token; a wrong one is let in and closed with 1008`, async () => {
    const server = await serve(start, { token: ['secret', 'other'] });
    const wrong = dial(server.url, ['chat', 'guess']);
    const opened = once(wrong, 'open');
    const [code] = await once(wrong, 'close');
    await opened;
    assert.equal(code, 1008);
    assert.deepEqual(wrong.frames, []);
    for (const token of ['secret', 'other']) await frames(dial(server.url, ['chat', token]), 1);
    const [none] = await once(dial(server.url), 'close');
    assert.equal(none, 1008);
  });
}

test('node-server: a message above the limit is closed with 1009, the server lives on', async () => {
  const server = await serve(startServer, { maxMessageBytes: 1000 });
  const big = dial(server.url);
  await frames(big, 1);
  big.send('x'.repeat(1001));
  const [code] = await once(big, 'close');
  assert.equal(code, 1009);
  const fits = dial(server.url);
  await frames(fits, 1);
  fits.send('x'.repeat(1000));
  await frames(fits, 2);
});

test('node-server: a client above the rate is closed with 1008', async () => {
  const server = await serve(startServer, { maxMessagesPerSecond: 50 });
  const flood = dial(server.url);
  await frames(flood, 1);
  for (let i = 0; i < 200; i++) flood.send('{}');
  const [code, reason] = await once(flood, 'close');
  assert.equal(code, 1008);
  assert.equal(reason.toString(), 'too many messages');
});

test('bare server: greets before it looks at the token if told to', async () => {
  const server = await serve(startBareServer, { token: 'secret', greetFirst: true });
  const wrong = dial(server.url, ['guess']);
  const [code] = await once(wrong, 'close');
  assert.equal(code, 1008);
  assert.equal(wrong.frames.length, 1);
});

test('node-server runs alone and takes its settings from the environment', async () => {
  const child = spawn(process.execPath, [path.join(root, 'examples/node-server/server.mjs')], {
    env: { ...process.env, PORT: '0', TOKEN: 'secret' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  cleanup.push(() => child.kill());
  const [line] = await once(child.stdout, 'data');
  const url = /ws:\/\/127\.0\.0\.1:\d+/.exec(line)[0];
  assert.equal((await once(dial(url, 'guess'), 'close'))[0], 1008);
  await frames(dial(url, 'secret'), 1);
});
