// What a client may have missed is limited: up to the limit it gets all of it, beyond it is told that it is lost.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { before, describe, test } from 'node:test';
import { Test } from '../conform/kit.mjs';
import { missingPackage, packageDir, root } from './harness/site.mjs';

/** What a log counts beside a message's octets. */
const AROUND_BYTES = 256;
const MISSED = 5;
const text = (receiver, content) => ({ type: 'text', receiver, content });

const program = path.resolve(root, process.env.EVERWIRE_SERVER_BIN ?? 'target/release/everwire-server');
const servers = {
  'everwire-server': {
    skip: !existsSync(program) && 'no everwire-server: set EVERWIRE_SERVER_BIN',
    start: async ({ messages, bytes }) => {
      const limits = ['--backlog-messages-max', messages ?? 100_000, '--backlog-bytes-max', bytes ?? 2 ** 26];
      const server = spawn(program, ['--listen', '127.0.0.1:0', '--anonymous', ...limits.map(String)], {
        stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, RUST_LOG: 'warn' },
      });
      const [line] = await once(createInterface(server.stdout), 'line');
      return { url: `${line.slice(line.indexOf('http')).replace('http', 'ws')}/ws`, close: () => server.kill('SIGKILL') };
    },
  },
  'everwire/server': {
    skip: missingPackage(),
    start: async ({ messages, bytes }) => {
      const { serve } = await import(path.join(packageDir, 'server.js'));
      const server = await serve({ anonymous: true, backlog: { maxMessages: messages, maxBytes: bytes } });
      return { url: server.url, close: () => server.close({ window: 1_000 }) };
    },
  },
};

for (const [name, { skip, start }] of Object.entries(servers)) {
  describe(name, { skip, timeout: 60_000 }, () => {
    let octets;
    before(() => away(start, {}, 1, async ({ back, room }) => {
      // How long a message is once it is stamped, as any server shows it.
      await back.until(() => back.of(room).length, 'a message');
      octets = JSON.stringify(back.of(room)[0].envelope).length + AROUND_BYTES;
    }));
    for (const [what, limit] of [['messages', () => MISSED], ['bytes', () => MISSED * octets]]) {
      test(`as many ${what} as may be are missed by nobody`, () => away(start, { [what]: limit() }, MISSED, async ({ back }) => {
        assert.equal(back.welcome.lost, null);
        await back.until(() => back.messages.length === 2 * MISSED, 'all that it has missed');
      }));
      const tooFew = () => (what === 'bytes' ? (MISSED + 1) * octets - 1 : limit());
      test(`one more in ${what} and the room is lost, and nothing else`, () => away(start, { [what]: tooFew() }, MISSED + 1, async ({ back, room }) => {
        assert.deepEqual(back.welcome.lost?.subjects, [room]);
        // Direct messages have no limit, and come behind nothing of the room.
        await back.until(() => back.messages.length === MISSED + 1, 'the direct messages');
        assert.deepEqual(back.of(room), []);
      }));
    }
  });
}

/** Looks at a client that has come back, and missed so many messages of a room and as many of its own. */
async function away(start, limits, many, look) {
  const server = await start(limits);
  const t = new Test(server.url, Date.now() + 30_000);
  try {
    const room = t.room();
    const reader = t.wire(null);
    const first = await reader.open();
    await first.join(room);
    await first.settle([text(room, 'seen by all')]);
    await first.until(() => first.of(room).length === 1, 'what it has sent');
    first.cut();
    const writer = await t.wire(null).open();
    for (let n = 0; n < many; n++) await writer.settle([text(room, 'x'.repeat(100)), text(first.welcome.identity, 'x'.repeat(100))]);
    await look({ back: await reader.open(), room });
    assert.deepEqual(t.violations, []);
  } finally {
    t.end();
    await server.close();
  }
}
