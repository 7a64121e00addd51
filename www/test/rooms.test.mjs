// The chat without a page: which rooms it keeps. Plain sockets, because half of these upgrades are meant to fail.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { after, before, mock, test } from 'node:test';
import { Chat } from '../chat-server.mjs';

/** More than any server here keeps. */
const MANY = 300;
const HANDSHAKE = { key: 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', version: 'Sec-WebSocket-Version: 13' };

let chat;
let server;
before(async () => {
  server = createServer().on('upgrade', (...args) => chat.upgrade(...args));
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
});
after(() => {
  server.close();
  server.closeAllConnections();
});

/** The status line of an upgrade, or '' when the link was reset. An upgrade that works ends at once. */
function upgrade(room, user = 'eve', headers = Object.values(HANDSHAKE)) {
  return new Promise((resolve) => {
    let status = '';
    const socket = connect(server.address().port, '127.0.0.1', () => {
      socket.write([`GET /chat?room=${room}&user=${user} HTTP/1.1`, 'Host: demo', 'Connection: Upgrade', 'Upgrade: websocket', ...headers, '', ''].join('\r\n'));
    });
    socket.on('data', (data) => {
      status ||= data.toString().slice(9, 12);
      socket.end();
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(status));
  });
}

for (const action of ['kill', 'silence', 'close', 'nonsense']) {
  test(`${action} in rooms that nobody is in does not use them up`, async () => {
    chat = new Chat();
    for (let n = 0; n < MANY; n++) assert.equal(chat.control(action, { room: `empty${n}` }), action === 'nonsense' ? null : 0);
    assert.equal(await upgrade('fresh'), '101');
    chat.shutDown();
  });
}

test('upgrades that fail do not use rooms up', async () => {
  chat = new Chat();
  for (let n = 0; n < MANY; n++) assert.equal(await upgrade(`failed${n}`, 'eve', [HANDSHAKE.version]), '400');
  assert.equal(await upgrade('fresh'), '101');
  chat.shutDown();
});

test('a refusal keeps its room until it has expired, and no longer', async () => {
  mock.timers.enable({ apis: ['setTimeout'] });
  try {
    chat = new Chat();
    for (const action of ['refuse', 'restart']) {
      for (let n = 0; n < MANY; n++) chat.control(action, { room: `${action}${n}`, seconds: 60 });
      assert.equal(await upgrade(`${action}0`), '', 'turned away');
      assert.equal(await upgrade('fresh'), '503', 'as many rooms as there may be');
      mock.timers.tick(60_000);
      assert.equal(await upgrade('fresh'), '101');
      assert.equal(await upgrade(`${action}0`), '101');
    }
    chat.shutDown();
  } finally {
    mock.timers.reset();
  }
});

test('a refusal of one user leaves the room to the others', async () => {
  chat = new Chat();
  assert.equal(chat.control('refuse', { room: 'r', user: 'eve', seconds: 60 }), 0);
  assert.equal(await upgrade('r', 'eve'), '503');
  assert.equal(await upgrade('r', 'bob'), '101');
  assert.equal(await upgrade('r', 'eve'), '503', 'the refusal outlives the last link');
  chat.shutDown();
});
