// §7, §8: pushes, positions, windows.
import { Failure } from '../kit.mjs';

export default function (test) {
  const text = (receiver, content) => ({ type: 'text', receiver, content });
  // One in twenty or so meets the moment.
  const ROUNDS = 60;
  const after = (ms) => new Promise((resolve) => setTimeout(resolve, ms).unref());

  test('a reader gets everything of its filter, once and in order', ['POS-1', 'POS-2', 'POS-8', 'POS-10', 'POS-16', 'ENG-1', 'ENG-3', 'ENG-24', 'NUM-5', 'NODE-3'], async (t) => {
    const [one, two, other] = [t.room(), t.room(), t.room()];
    const rooms = [one, two].map((room) => ({ room, from: null }));
    const readers = await Promise.all([t.wire().open({ rooms }), t.wire().open({ rooms })]);
    const writers = await Promise.all([1, 2, 3].map(() => t.wire().open()));
    for (let i = 0; i < 40; i += 1) for (const writer of writers) writer.send([text([one, two, other][i % 3], i)]);
    readers[0].send([text(one, 'own')]);
    await Promise.all(writers.map((writer) => writer.until(() => writer.acked === 40, 'ack 40')));
    await Promise.all(readers.map((reader) => reader.until(() => reader.messages.length === 3 * 27 + 1, '82 messages')));
    await Promise.all(readers.map((reader) => reader.fence()));
    const plain = (reader) => reader.messages.filter(({ envelope }) => envelope.type === 'text').map(({ s, envelope }) => [s, envelope.receiver, envelope.sender, envelope.content]);
    t.equal(plain(readers[1]), plain(readers[0]), 'the order of two readers');
    for (const room of [one, two]) {
      const page = await readers[0].page(1, room, 2 ** 53 - 1, 256);
      t.equal(readers[0].of(room).map(({ s }) => s), page.s, 'pushed against stored');
    }
    for (const writer of writers) {
      const own = plain(readers[0]).filter(([, , sender]) => sender === writer.welcome.identity);
      t.equal(own.map(([, , , content]) => content), [...Array(40).keys()].filter((i) => i % 3 < 2), 'the order of one sender');
    }
  });

  test('what was stored while a client was away comes, and nothing that it has', ['POS-8', 'POS-11', 'WELC-9', 'ENG-24', 'KEEP-5'], async (t) => {
    const room = t.room();
    const wire = t.wire();
    const first = await wire.open({ rooms: [{ room, from: null }] });
    const writer = await t.wire().open();
    await writer.settle([1, 2, 3].map((i) => text(room, i)));
    await first.until(() => first.of(room).length === 3, 'three messages');
    first.cut();
    await writer.settle([4, 5].map((i) => text(room, i)));
    const second = await wire.open();
    await second.until(() => second.of(room).length === 2, 'two messages');
    await second.fence();
    t.equal(second.of(room).map(({ envelope }) => envelope.content), [4, 5], 'what came');
    const stored = await second.page(1, room, 2 ** 53 - 1, 10);
    t.equal([...first.of(room), ...second.of(room)].map(({ s }) => s), stored.s, 'the numbers of two links against the log');
    // From the middle of what the first link brought: with the numbers of the first.
    second.cut();
    const { s } = first.of(room)[0];
    const third = await wire.open({ position: s });
    await third.until(() => third.of(room).length === 4, 'four messages');
    t.equal(third.of(room).slice(0, 2).map((one) => one.s), first.of(room).slice(1).map((one) => one.s), 'the same message under another number');
  });

  test('a direct message reaches its identity and nobody else', ['WELC-11', 'SEND-20', 'POS-9'], async (t) => {
    const [ann, bob, eve] = await Promise.all([t.wire().open(), t.wire().open(), t.wire().open()]);
    await ann.settle([text(bob.welcome.identity, 'psst')]);
    await bob.until(() => bob.messages.length === 1, 'the message');
    t.equal([bob.messages[0].envelope.sender, bob.messages[0].envelope.content], [ann.welcome.identity, 'psst'], 'the message');
    await eve.fence();
    await ann.fence();
    t.equal([eve.messages.length, ann.messages.length], [1, 1], 'messages of others');
  });

  test('direct messages from before the position are not lost', ['WELC-11'], async (t) => {
    const wire = t.wire();
    const first = await wire.open();
    first.cut();
    const writer = await t.wire().open();
    await writer.settle([text(first.welcome.identity, 'while you were away')]);
    const second = await wire.open({ rooms: [] });
    await second.until(() => second.messages.length === 1, 'the message');
  });

  test('the window of messages', ['CRED-10', 'LIM-8', 'CRED-9', 'POS-11', 'POS-18', 'CRED-13', 'CAST-4'], async (t) => {
    const room = t.room();
    const reader = await t.wire().open({ rooms: [{ room, from: null }] });
    const writer = await t.wire().open();
    for (let sent = 0; sent < 9_000; sent += 1_000) await writer.settle(Array.from({ length: 1_000 }, (_, i) => text(room, sent + i)));
    await reader.until(() => reader.messages.length === 8_192, '8,192 messages');
    // Everything but pushes still comes.
    await reader.settle([text(t.room())]);
    t.equal((await reader.request('echo', 'x')).content, 'x', 'a reply behind a shut window');
    t.ok(await reader.join(t.room()), 'a join behind a shut window');
    t.equal((await reader.page(1, room, 2 ** 53 - 1, 2)).s.length, 2, 'a page behind a shut window');
    writer.write(`cast\n[{"type":"c","receiver":"${room}"}]`);
    await writer.sync();
    await reader.sync();
    t.equal([reader.messages.length, reader.casts.length], [8_192, 0], 'messages and casts behind a shut window');
    reader.write(`seen ${reader.told} 100 ${Math.floor(reader.outstanding.broughtOctets / 8)}`);
    reader.outstanding.messages -= 100;
    reader.outstanding.octets -= Math.floor(reader.outstanding.broughtOctets / 8);
    await reader.until(() => reader.messages.length === 8_292, 'as many as were processed');
    reader.seenAll();
    await reader.until(() => reader.of(room).length === 9_000, 'the rest');
    t.equal(reader.of(room).map(({ envelope }) => envelope.content), [...Array(9_000).keys()], 'order');
  }, { limit: 25_000 });

  test('the window of octets: a long frame counts as 262,144', ['CRED-8', 'CRED-9', 'CRED-10', 'LIM-9', 'LIVE-13'], async (t) => {
    const room = t.room();
    const reader = await t.wire().open({ rooms: [{ room, from: null }] });
    const writer = await t.wire().open();
    for (let i = 0; i < 6; i += 1) await writer.settle([text(room, `${i}${'x'.repeat(400_000)}`)]);
    await reader.until(() => reader.messages.length === 4, 'four long messages');
    await reader.sync();
    t.equal(reader.messages.length, 4, 'messages with 1 MiB outstanding');
    reader.write(`seen ${reader.told} 1 262144`);
    reader.outstanding.messages -= 1;
    reader.outstanding.octets -= 262_144;
    await reader.until(() => reader.messages.length === 5, 'the fifth');
    reader.seenAll();
    await reader.until(() => reader.messages.length === 6, 'the sixth');
  });

  test('held counts against the window', ['CRED-9', 'CRED-10', 'CRED-16'], async (t) => {
    for (const held of [[8_192, 0], [3, 1_310_719]]) {
      const wire = t.wire();
      const link = await wire.open({ held });
      await link.settle([text(link.welcome.identity, 'wait')]);
      await link.sync();
      t.equal(link.messages.length, 0, `pushed although ${held} are held`);
      link.write(`seen ${link.welcome.position} ${held[0]} ${held[1]}`);
      Object.assign(link.outstanding, { messages: 0, octets: 0 });
      await link.until(() => link.messages.length === 1, 'the message');
    }
  });

  test('upto does not pass what was not written', ['POS-11', 'POS-10', 'POS-18'], async (t) => {
    const wire = t.wire();
    const room = t.room();
    const link = await wire.open({ held: [8_192, 0] });
    const before = link.told;
    await link.settle([text(link.welcome.identity, 'precious')]);
    await link.settle(Array.from({ length: 20 }, () => text(room)));
    link.write(`bye ${link.told}`); // brings an `advance`, if one is due
    await link.closes(1000);
    t.ok(link.told >= before, 'upto fell');
    const again = await wire.open();
    await again.until(() => again.messages.some(({ envelope }) => envelope.content === 'precious'), 'what had not been written');
  });

  test('totals and places that cannot be', ['CRED-16', 'ERR-16', 'POS-13'], async (t) => {
    const bad = [(s) => `seen ${s} 2 1`, (s) => `seen ${s} 1 100000`, (s) => `seen ${s + 1_000_000} 0 0`, (s) => [`seen ${s} 1 1`, `seen ${s} 0 1`], (s) => [`seen ${s} 1 1`, `seen ${s} 1 0`], (s) => [`seen ${s} 1 1`, `seen ${s - 1} 1 1`], (s) => `bye ${s + 1_000_000}`, (s) => [`seen ${s} 0 0`, `bye ${s - 1}`]];
    await Promise.all(bad.map(async (frames) => {
      const link = await t.wire().open();
      await link.settle([text(link.welcome.identity)]);
      await link.until(() => link.messages.length === 1, 'a message');
      for (const frame of [frames(link.told)].flat()) link.write(frame);
      await link.closes(4002, `4002 after ${frames(9)}`);
    }));
  });

  test('a hidden page is served like any other', ['VIS-2', 'POS-19', 'TIME-22'], async (t) => {
    const link = await t.wire().open({ visible: false });
    link.write('vis 0');
    const before = Date.now();
    await link.fence();
    t.ok(Date.now() - before < 1_000, `after ${Date.now() - before} ms`);
    link.write('vis 1');
    await link.sync();
  });

  test('advance, at least every 30 s', ['POS-12', 'TIME-6', 'POS-10'], async (t) => {
    const link = await t.wire().open();
    const writer = await t.wire().open();
    await writer.settle([text(t.room())]);
    const started = Date.now();
    await link.until(() => link.advances.length > 0, 'advance');
    t.ok(Date.now() - started < 31_500, `after ${Date.now() - started} ms`);
    t.ok(link.told > link.welcome.position, 'upto');
    t.equal(link.messages.length, 0, 'messages');
  }, { phase: 'slow', limit: 40_000 });

  test('an unwritten message holds advance back', ['POS-11', 'POS-12'], async (t) => {
    const link = await t.wire().open({ held: [8_192, 0] });
    const own = await t.wire().open({ rooms: [] });
    await link.settle([text(link.welcome.identity, 'precious')]);
    await own.settle([text(t.room())]);
    const { s } = await (async () => {
      const twin = await t.wire(link.wire.token).open({ logEpoch: link.welcome.logEpoch, position: link.welcome.position });
      await twin.until(() => twin.messages.length === 1, 'the message, on another wire');
      return twin.messages[0];
    })();
    await Promise.race([link.until(() => link.told >= s, 'nothing').catch(() => {}), after(33_000)]);
    if (link.told >= s) throw new Failure(`advance to ${link.told}, and ${s} was not written`);
  }, { phase: 'slow', limit: 36_000 });

  test('the only link goes behind a send, and whoever comes next is pushed to', ['POS-1', 'POS-16', 'NODE-3'], async (t) => {
    const room = t.room();
    const rooms = [{ room, from: null }];
    const ways = {
      'cut off': (link) => link.cut(),
      'with bye': (link) => link.write(`bye ${link.welcome.position}`),
      'for breaking a rule': (link) => link.write('nonsense'),
    };
    for (const [way, leave] of Object.entries(ways)) {
      for (let round = 0; round < ROUNDS; round += 1) {
        const wire = t.wire();
        const link = await wire.open({ rooms });
        // The verdict may come before, in, or after the turn in which the link goes.
        for (let sent = 0; sent <= round % 4; sent += 1) link.send([text(room, 'last word')]);
        if (round % 2) await link.until(() => link.acked > 0, 'an ack');
        leave(link);
        await link.closes();
        const next = await t.wire().open({ rooms });
        await next.settle([text(room, 'after')]);
        await next.until(() => next.of(room).some(({ envelope }) => envelope.content === 'after'), `a push after one that has gone ${way}`);
        next.cut();
        await next.closes();
      }
    }
  }, { phase: 'sole' });
}
