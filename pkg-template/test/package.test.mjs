// The built package with the real WebAssembly, against a server of the usual tutorial form, in Node.
// EVERWIRE_PKG names the directory that build.mjs wrote; without it there is nothing to test.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { WebSocket, WebSocketServer } from 'ws';

const dir = process.env.EVERWIRE_PKG && resolve(process.env.EVERWIRE_PKG);
const next = (target, name) => new Promise((done) => target.addEventListener(name, done, { once: true }));

describe('the built package', { skip: !dir && 'EVERWIRE_PKG is not set' }, () => {
  let server;
  let url;
  before(async () => {
    server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    await once(server, 'listening');
    url = `ws://127.0.0.1:${server.address().port}`;
    server.on('connection', (socket) => {
      socket.send('{"type":"welcome","message":"no full envelope"}');
      // A Buffer: what was text comes back as binary.
      socket.on('message', (data) => server.clients.forEach((client) => client.send(data)));
    });
  });
  after(() => {
    for (const client of server.clients) client.terminate();
    server.close();
  });

  for (const entry of ['index', 'slim']) {
    test(`${entry}: there and back, through a broken connection, to a clean end`, async () => {
      const { default: init, connect } = await import(pathToFileURL(join(dir, `${entry}.js`)).href);
      await init?.(readFileSync(join(dir, 'everwire.wasm')));
      const wire = connect(url, { WebSocket, binary: true, token: async () => 'abc', reconnect: { delayMin: 10, delayMax: 50 } });
      const arrived = [];
      const expected = [];
      let wake;
      for (const type of ['text', 'file']) {
        wire.on(type, ({ content }) => {
          arrived.push(content);
          wake?.();
        });
      }
      const all = () => new Promise((done) => (wake = () => arrived.length === expected.length && done())).then(() => (wake = undefined));
      const send = (type, content) => (expected.push(content), wire.send(type, content));

      const first = send('text', 'sent before there is a connection');
      let done = all();
      assert.equal((await first).level, 'written');
      await send('text', 'grüße 🙂');
      await send('file', new Uint8Array([0, 10, 255]));
      await done;

      const ended = next(wire, 'close');
      for (const client of server.clients) client.terminate();
      const { code, willRetry } = await ended;
      assert.deepEqual([code, willRetry], [1006, true]);
      done = all();
      for (let n = 0; n < 100; n++) void send('text', n);
      await done;
      assert.deepEqual(arrived, expected);
      assert.equal(wire.state, 'open');

      const [socket] = server.clients;
      const seen = once(socket, 'close');
      const last = next(wire, 'close');
      await wire.close({ code: 4000, reason: 'é'.repeat(100) });
      assert.deepEqual([(await last).willRetry, wire.state], [false, 'closed']);
      const [closeCode, reason] = await seen;
      assert.deepEqual([closeCode, String(reason)], [4000, 'é'.repeat(61)]);
    });
  }
});
