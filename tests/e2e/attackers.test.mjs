// Who attacks is refused as documented, and nobody else notices. Attackers come from 127.0.0.2; from 127.0.0.1 an ordinary
// client of the built package sends all the while, and another one receives.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, test } from 'node:test';
import { WebSocket } from 'ws';
import { Test } from '../conform/kit.mjs';
import { missingPackage, packageDir, root } from './harness/site.mjs';

const PARKED = 100;
const DIALS = 1_000;
const HUGE_BYTES = 100 * 1024 * 1024;
/** What the server may grow by while it is sent that: it must not hold what it will not take. */
const GROWTH_BYTES_MAX = 48 * 1024 * 1024;
const EVERY_MS = 20;
const attacker = { localAddress: '127.0.0.2' };

const native = process.env.EVERWIRE_CONFORM_BIN;
const missing = missingPackage();
const servers = {
  'everwire-server': { skip: missing || (!native && 'EVERWIRE_CONFORM_BIN names no program'), command: [native, '--limits'] },
  'everwire/server': { skip: missing, command: ['node', path.join(root, 'tests/conform/npm-server.mjs'), '--limits'] },
};

const { connect } = missing ? {} : await import(path.join(packageDir, 'exactly-once.js'));

for (const [name, { skip, command }] of Object.entries(servers)) {
  describe(name, { skip, timeout: 120_000 }, () => {
    let server;
    let url;
    let ordinary;
    before(async () => {
      server = spawn(command[0], command.slice(1), { stdio: ['ignore', 'pipe', 'inherit'] });
      [url] = await once(createInterface(server.stdout), 'line');
      ordinary = await traffic(url);
    });
    after(async () => {
      await ordinary?.end();
      server?.kill('SIGKILL');
    });
    const attack = (title, run) =>
      test(title, async () => {
        const raw = new Test(url, Date.now() + 60_000);
        const before = ordinary.stored();
        try {
          await run(raw);
          await ordinary.goesOn(before);
        } finally {
          raw.end();
        }
      });

    attack(`${PARKED} sockets that say nothing: closed with 4001`, async (raw) => {
      const links = await Promise.all(Array.from({ length: PARKED }, () => raw.wire().dial(attacker)));
      const began = performance.now();
      const closes = await Promise.all(links.map((link) => link.closes(4001)));
      assert.equal(closes.length, PARKED);
      assert.ok(performance.now() - began > 8_000, 'nobody was cut short');
    });

    attack('too many that say nothing: 429', async (raw) => {
      // As many as a burst lets in and no more than may say nothing.
      const dials = await Promise.all(Array.from({ length: 300 }, () => dialled(raw.wire())));
      assert.ok(dials.some(({ status }) => status === 429));
      const open = dials.filter(({ opened }) => opened);
      assert.ok(open.length <= 256, `${open.length} were let in`);
      open.forEach((link) => link.cut());
    });

    attack(`${DIALS} connections at once from one address: 429, and when to come again`, async (raw) => {
      const dials = await Promise.all(Array.from({ length: DIALS }, () => dialled(raw.wire())));
      const refused = dials.filter(({ status }) => status === 429);
      assert.ok(refused.length > DIALS / 2, `${refused.length} were refused`);
      assert.ok(refused.every(({ retryAfter }) => retryAfter >= 1), 'Retry-After says when');
      // Another address comes in at once.
      const link = await raw.wire().open();
      await link.end();
      dials.forEach((dial) => dial.cut());
    });

    for (const greeted of [false, true]) {
      attack(`a frame of 100 MB ${greeted ? 'after' : 'instead of'} hello: 1009, and it is not held`, async (raw) => {
        await atPeace(raw);
        const before = await residentBytes(server.pid);
        const link = greeted ? await raw.wire().open({}, attacker) : await raw.wire().dial(attacker);
        link.write(Buffer.alloc(HUGE_BYTES, 'a'));
        const { code } = await link.closes();
        // What is left unread may turn the close into a reset.
        assert.ok([1009, 1006].includes(code), `closed with ${code}`);
        const grown = (await residentBytes(server.pid)) - before;
        assert.ok(grown < GROWTH_BYTES_MAX, `the server has grown by ${grown} bytes`);
      });
    }

    attack('a stranger with somebody’s producer: begins as a stranger, and fences nobody', async (raw) => {
      await atPeace(raw);
      const victim = raw.wire();
      const link = await victim.open({}, attacker);
      await link.settle([{ type: 'text', receiver: 'room-of-the-victim', content: 1 }]);
      const stranger = raw.wire();
      Object.assign(stranger, { producer: victim.producer, number: victim.number, written: 1, born: victim.born, logEpoch: victim.logEpoch, position: victim.position });
      const taken = await stranger.open({}, attacker);
      assert.equal(taken.welcome.producer, 'successor');
      assert.notEqual(taken.welcome.identity, link.welcome.identity);
      await link.settle([{ type: 'text', receiver: 'room-of-the-victim', content: 2 }]);
      assert.equal(link.closed, null);
    });

    attack('a banned user who comes back: 4403', async (raw) => {
      await atPeace(raw);
      const user = raw.wire(`user:${raw.unique('banned')}`);
      const link = await user.open({}, attacker);
      await link.settle([{ type: 'text', receiver: 'room', content: 'before' }]);
      link.cut();
      user.token = user.token.replace('user:', 'banned:');
      const back = await user.dial(attacker);
      back.hello(user.hello());
      await back.closes(4403);
    });

    attack('a hello with a forged from: the room is lost to it, and nothing of it is sent', async (raw) => {
      await atPeace(raw);
      const room = raw.room('nohistory-');
      const writer = await raw.wire().open({}, attacker);
      await writer.settle([{ type: 'text', receiver: room, content: 'not for you' }]);
      const forger = raw.wire();
      await (await forger.open({}, attacker)).end();
      forger.rooms.set(room, { from: 0, grant: `0.${'0'.repeat(32)}` });
      const link = await forger.open({ position: 0 }, attacker);
      const lost = link.welcome.lost?.subjects ?? [];
      assert.ok(lost.includes(room), JSON.stringify(link.welcome.lost));
      await link.fence();
      assert.deepEqual(link.of(room), []);
    });

    attack('a page from before the right began: what came before is not in it', async (raw) => {
      await atPeace(raw);
      const writer = await raw.wire().open({}, attacker);
      const room = raw.room(`since-${writer.welcome.position + 1}-`);
      await writer.settle([{ type: 'text', receiver: room, content: 'too early' }]);
      await writer.settle([{ type: 'text', receiver: room, content: 'in time' }]);
      const reader = await raw.wire().open({}, attacker);
      const page = await reader.page(1, room, 2 ** 53 - 1, 10);
      const since = Number(/^since-(\d+)-/.exec(room)[1]);
      assert.ok(page.s.length > 0 && page.s.every((s) => s > since), JSON.stringify(page.s));
    });

    attack('a token that nobody takes: 4401', async (raw) => {
      await atPeace(raw);
      for (const token of ['expired', 'user', 'a.b.c']) {
        const link = await raw.wire(token).dial(attacker);
        link.hello(link.wire.hello());
        await link.closes(4401);
      }
    });
  });
}

/** A dial that may be refused: the link, once that is known. */
async function dialled(wire) {
  return wire.dial(attacker).catch(() => wire.links.at(-1));
}

/** The attacker's address may connect again. */
async function atPeace(raw) {
  for (;;) {
    const link = await dialled(raw.wire());
    if (link.opened) return link.cut();
    assert.equal(link.status, 429);
    // How long is what Retry-After says, a duration by its nature.
    await new Promise((resolve) => setTimeout(resolve, link.retryAfter * 1000));
  }
}

/** Two ordinary clients from 127.0.0.1, one sending to the other without end. */
async function traffic(url) {
  const events = [];
  const client = (name) => {
    const wire = connect(url, { token: `user:${name}`, WebSocket });
    for (const what of ['reconnecting', 'undelivered', 'lost', 'error', 'close']) {
      wire.addEventListener(what, ({ type, cause, reason, error }) => events.push([name, type, cause ?? reason ?? error?.code]));
    }
    return wire;
  };
  const [ann, bob] = [client('ann'), client('bob')];
  const room = bob.join('everyday');
  const received = [];
  const waiting = new Set();
  room.on('text', ({ content }) => {
    received.push(content);
    for (const look of [...waiting]) look();
  });
  await room.joined;
  let sent = 0;
  let stored = 0;
  const timer = setInterval(() => {
    void ann.send('text', (sent += 1), { to: 'everyday' }).then(() => (stored += 1), () => {}); // at the end
  }, EVERY_MS);
  return {
    stored: () => stored,
    /** Everything that was sent meanwhile, and some more, has arrived once and in order, and nothing was noticed. */
    async goesOn(before) {
      const wanted = Math.max(sent, before) + 5;
      await new Promise((resolve) => {
        const look = () => received.length >= wanted && waiting.delete(look) && resolve();
        waiting.add(look);
        look();
      });
      assert.deepEqual(received, Array.from({ length: received.length }, (_, at) => at + 1));
      assert.deepEqual(events, [], 'neither client has noticed anything');
    },
    async end() {
      clearInterval(timer);
      await Promise.all([ann.close({ timeout: 0 }), bob.close({ timeout: 0 })]);
    },
  };
}

async function residentBytes(pid) {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)[1]) * 1024;
}
