// The proxy's own tests, with bare TCP on both sides.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { after, before, beforeEach, afterEach, test } from 'node:test';
import { startProxy } from './proxy.mjs';

let echo;
let proxy;
const clients = new Set();

before(async () => {
  echo = net.createServer((socket) => {
    socket.on('error', () => {});
    socket.pipe(socket);
  });
  echo.listen(0, '127.0.0.1');
  await once(echo, 'listening');
});
after(() => echo.close());
beforeEach(async () => {
  proxy = await startProxy({ targetPort: echo.address().port });
});
afterEach(async () => {
  for (const client of clients) client.destroy();
  clients.clear();
  await proxy.close();
});

function dial() {
  const client = net.connect({ port: proxy.port, host: '127.0.0.1' });
  clients.add(client);
  client.on('error', () => {});
  return client;
}

/** What `client` reads from now on, as soon as it is `length` bytes long. */
function read(client, length) {
  return new Promise((resolve) => {
    let all = Buffer.alloc(0);
    client.on('data', function collect(chunk) {
      all = Buffer.concat([all, chunk]);
      if (all.length < length) return;
      client.off('data', collect);
      resolve(all);
    });
  });
}

/** `once(client, 'close')` would reject at the error that comes first. */
function gone(client) {
  return new Promise((resolve) => client.once('close', resolve));
}

async function ping(client, text = 'ping') {
  const answer = read(client, text.length);
  client.write(text);
  assert.equal((await answer).toString(), text);
}

test('passes bytes on, both ways, and counts them', async () => {
  const opened = once(proxy, 'open');
  const client = dial();
  const [link] = await opened;
  await ping(client, 'hello');
  assert.equal(link.up, 5);
  assert.equal(link.down, 5);
  assert.equal(proxy.links.size, 1);
});

test('a polite end travels through, after what was written before it', async () => {
  proxy.delay = 30;
  const client = dial();
  const closed = once(proxy, 'close');
  const answer = read(client, 4);
  client.end('last');
  assert.equal((await answer).toString(), 'last');
  await once(client, 'end');
  await closed;
  assert.equal(proxy.links.size, 0);
});

test('reset: the client sees ECONNRESET, other links live', async () => {
  const [a, b] = [dial(), dial()];
  await ping(a);
  await ping(b);
  const [link] = proxy.links;
  const broken = once(a, 'error');
  link.reset();
  const [error] = await broken;
  assert.equal(error.code, 'ECONNRESET');
  await ping(b);
  assert.equal(proxy.links.size, 1);
});

test('resetAll: every link, and new ones work', async () => {
  const [a, b] = [dial(), dial()];
  await ping(a);
  await ping(b);
  const broken = [gone(a), gone(b)];
  assert.equal(proxy.resetAll(), 2);
  await Promise.all(broken);
  await ping(dial());
});

test('down refuses and resets, up listens at the same port', async () => {
  const { port } = proxy;
  const open = dial();
  await ping(open);
  const broken = once(open, 'error');
  await proxy.down();
  assert.equal((await broken)[0].code, 'ECONNRESET');
  const refused = await once(dial(), 'error');
  assert.equal(refused[0].code, 'ECONNREFUSED');
  await proxy.up();
  assert.equal(proxy.port, port);
  await ping(dial());
});

test('silence: bytes are taken and go nowhere, either way; new links are silent until unsilence', async () => {
  const old = dial();
  await ping(old);
  const [link] = proxy.links;
  proxy.silence();
  const late = dial();
  const deaf = [];
  for (const client of [old, late]) client.on('data', () => deaf.push(client));
  // Far more than kernel buffers hold: it is read, or this callback would never come.
  await new Promise((resolve) => old.write(Buffer.alloc(16 * 1024 * 1024), resolve));
  late.write('anybody?');
  proxy.unsilence();
  await ping(dial());
  assert.equal(link.up, 4);
  assert.deepEqual(deaf, []);
  assert.equal(old.destroyed, false);
});

test('silence: the client of a silenced link does not learn that the far end left', async () => {
  const client = dial();
  const far = once(echo, 'connection');
  await ping(client);
  const [socket] = await far;
  let told = false;
  client.on('end', () => (told = true)).on('close', () => (told = true));
  proxy.silence();
  proxy.unsilence();
  socket.destroy();
  await once(socket, 'close');
  await ping(dial());
  assert.equal(told, false);
  assert.equal(proxy.links.size, 2);
  const broken = gone(client);
  proxy.resetAll();
  await broken;
});

for (const way of ['up', 'down']) {
  test(`half-open: nothing goes ${way} any more, the other way lives`, async () => {
    const client = dial();
    const far = once(echo, 'connection');
    await ping(client);
    const [socket] = await far;
    const [link] = proxy.links;
    proxy.silence({ ways: [way] });
    proxy.unsilence();
    const [from, to, deaf] = way === 'up' ? [socket, client, socket] : [client, socket, client];
    let heard = false;
    deaf.on('data', () => (heard = true));
    const arrived = read(to, 4);
    to.write('anybody?');
    from.write('here');
    assert.equal((await arrived).toString(), 'here');
    await ping(dial());
    assert.equal(link[way], 4);
    assert.equal(heard, false);
  });
}

test('stall: bytes are not even taken, the sender is pushed back', async () => {
  const client = dial();
  await ping(client);
  proxy.silence({ stall: true });
  proxy.unsilence();
  // More than two kernel buffers and a stream's own can hold.
  let flushed = false;
  client.write(Buffer.alloc(32 * 1024 * 1024), () => (flushed = true));
  await ping(dial());
  assert.equal(flushed, false);
  assert.ok(client.writableLength > 0);
});

test('delay: each way, order kept', async () => {
  proxy.delay = 60;
  const client = dial();
  const started = performance.now();
  const answer = read(client, 3);
  client.write('a');
  client.write('b');
  client.write('c');
  assert.equal((await answer).toString(), 'abc');
  assert.ok(performance.now() - started >= 110, 'both ways were delayed');
});

test('bytesPerSecond: a big message takes its time and arrives whole', async () => {
  proxy.bytesPerSecond = 1024 * 1024;
  const client = dial();
  const payload = Buffer.alloc(256 * 1024, 'x');
  const started = performance.now();
  const answer = read(client, payload.length);
  client.write(payload);
  assert.deepEqual(await answer, payload);
  assert.ok(performance.now() - started >= 240, 'a quarter of a second at the least');
});

test('bytesPerSecond: the first byte does not wait for what was read with it', async () => {
  proxy.bytesPerSecond = 128 * 1024;
  const client = dial();
  await ping(client);
  const began = performance.now();
  let waited;
  client.once('data', () => (waited = performance.now() - began));
  const answer = read(client, 64 * 1024);
  client.write(Buffer.alloc(64 * 1024, 'x'));
  await answer;
  const all = performance.now() - began;
  assert.ok(waited < all / 4, `${waited} ms of ${all} ms`);
});

test('a reset while an end is under way closes every handle', async () => {
  const before = process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;
  for (let i = 0; i < 50; i++) {
    const client = dial();
    await ping(client);
    const [link] = proxy.links;
    const broken = gone(client);
    const closed = once(proxy, 'close');
    // The end has been passed on and not been answered when the reset comes.
    link.once('end', () => link.reset());
    client.end('last');
    await Promise.all([broken, closed]);
  }
  const left = process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;
  // The echo's side of the last ones may still be closing.
  assert.ok(left < before + 10, `${left} sockets left of 200, ${before} before`);
});

test('a target that refuses is a reset, not a polite end', async () => {
  const gone = net.createServer().listen(0, '127.0.0.1');
  await once(gone, 'listening');
  const { port } = gone.address();
  gone.close();
  await once(gone, 'close');
  const orphan = await startProxy({ targetPort: port });
  const client = net.connect({ port: orphan.port, host: '127.0.0.1' });
  const [error] = await once(client, 'error');
  assert.equal(error.code, 'ECONNRESET');
  await orphan.close();
});
