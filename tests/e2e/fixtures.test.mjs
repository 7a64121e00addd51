// The servers are what they claim to be: seen from a plain `ws` client, no browser, nothing of everwire.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { test } from 'node:test';
import { WebSocket, WebSocketServer } from 'ws';
import { startServer } from '../../examples/node-server/server.mjs';
import { startBareServer } from './bare-server.mjs';
import { cleanups } from './harness/cleanup.mjs';
import { frameReader, logFrames } from './harness/frames.mjs';
import { root } from './harness/site.mjs';
import { until } from './harness/wait.mjs';
import { startProxy } from './proxy.mjs';

const cleanup = cleanups();

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

test('frames are counted as they pass a proxy: short and long, control frames, both ways, with their headers', async () => {
  const wss = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  await once(wss, 'listening');
  cleanup.push(() => new Promise((resolve) => wss.close(resolve)));
  const proxy = await startProxy({ targetPort: wss.address().port });
  cleanup.push(() => proxy.close());
  const log = logFrames(proxy);
  // Written in the turn in which the upgrade is answered: bytes of both come in one chunk.
  wss.on('connection', (ws) => ws.send('at once'));
  const socket = dial(proxy.url);
  await frames(socket, 1);
  const [far] = wss.clients;
  const lengths = [0, 125, 126, 65_535, 65_536];
  for (const length of lengths) socket.send('u'.repeat(length));
  for (const length of lengths) far.send('d'.repeat(length));
  socket.ping('up');
  await once(socket, 'pong');
  far.ping('down');
  await until(proxy, 'frame', () => log.length === 15, { what: '15 frames' });
  const seen = (way) => log.filter((frame) => frame.way === way).map(({ opcode, bytes, text }) => [opcode, bytes, text.slice(0, 7)]);
  // RFC 6455: 2 octets, 2 more from 126 on, 8 more from 65,536 on, and 4 for a mask.
  assert.deepEqual(seen('up'), [
    [1, 6, ''], [1, 131, 'uuuuuuu'], [1, 134, 'uuuuuuu'], [1, 65_543, 'uuuuuuu'], [1, 65_550, 'uuuuuuu'], [9, 8, 'up'], [10, 10, 'down'],
  ]);
  assert.deepEqual(seen('down'), [
    [1, 9, 'at once'], [1, 2, ''], [1, 127, 'ddddddd'], [1, 130, 'ddddddd'], [1, 65_539, 'ddddddd'], [1, 65_546, 'ddddddd'], [10, 4, 'up'], [9, 6, 'down'],
  ]);
  assert.deepEqual(log.filter(({ control }) => control).map(({ opcode }) => opcode), [9, 10, 9, 10]);
  const [link] = proxy.links;
  const bytes = (way) => log.filter((frame) => frame.way === way).reduce((sum, frame) => sum + frame.bytes, 0);
  assert.ok(link.up - bytes('up') > 100 && link.up - bytes('up') < 1_000, 'all but the upgrade is in a frame');
});

test('frames are counted whatever the chunks they come in, and none that is not to be read', () => {
  const stream = Buffer.concat([Buffer.from('HTTP/1.1 101 Switching Protocols\r\n\r\n'), Buffer.from([0x81, 2, 104, 105, 0x89, 0x81, 1, 2, 3, 4, 0x61 ^ 1])]);
  const seen = [];
  const read = frameReader(({ opcode, bytes, payload }) => seen.push([opcode, bytes, `${payload}`]));
  for (const octet of stream) read(Buffer.of(octet));
  assert.deepEqual(seen, [[1, 4, 'hi'], [9, 7, 'a']]);
  assert.throws(() => read(Buffer.from([0xc1, 0])), /extension/);
});
