// A link that still brings what others say and no longer takes what we say. No browser: it is the same machine in all of them.
import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import path from 'node:path';
import { after, test } from 'node:test';
import { WebSocket } from 'ws';
import { cleanups } from './harness/cleanup.mjs';
import { missingPackage, packageDir } from './harness/site.mjs';
import { until } from './harness/wait.mjs';
import { startProxy } from './proxy.mjs';
import { servers, startServer } from './servers-under-test.mjs';

const skip = missingPackage();
const { connect } = skip ? {} : await import(path.join(packageDir, 'exactly-once.js'));
const session = servers.find(({ name, missing }) => name === 'everwire-server' && !missing()) ?? servers.at(-1);
const EVERY_MS = 100;
/** Suspected after one second, asked, and heard for ten more; a link that is silent both ways is replaced within 3.5 s. */
const BOUND_MS = 15_000;

const cleanup = cleanups(after);

// What others say puts the verdict off only as long as it may stand in front of the answer ([LIVE-8]).
test('sending and receiving 10/s, silent upwards: replaced', { skip }, async () => {
  const server = await startServer(session, { origin: 'http://127.0.0.1' });
  cleanup.push(() => server.close());
  const proxy = await startProxy({ targetPort: server.port });
  cleanup.push(() => proxy.close());
  const [ann, bob] = [proxy.url, `ws://127.0.0.1:${server.port}`].map((url) => connect(url + server.path, { WebSocket }));
  cleanup.push(() => Promise.all([ann, bob].map((wire) => wire.close({ timeout: 0 }))));
  const seen = Object.assign(new EventEmitter(), { opens: 0, received: 0, settled: 0 });
  const note = (what) => {
    seen[what] += 1;
    seen.emit('change');
  };
  const room = ann.join('room');
  ann.addEventListener('open', () => note('opens'));
  room.on('text', () => note('received'));
  await room.joined;
  const timer = setInterval(() => {
    bob.send('text', 'to ann', { to: 'room' }).catch(() => {});
    ann.send('text', 'to nobody', { to: 'elsewhere' }).then(() => note('settled'), () => {});
  }, EVERY_MS);
  cleanup.push(() => clearInterval(timer));
  await until(seen, 'change', () => seen.received >= 20 && seen.settled >= 20, { what: 'traffic both ways' });
  proxy.silence({ ways: ['up'] });
  proxy.unsilence();
  const before = seen.received;
  await until(seen, 'change', () => seen.opens === 2, { deadline: BOUND_MS, what: 'a link that takes what is said' });
  assert.ok(seen.received > before, 'it was half-open: what others said has come');
});
