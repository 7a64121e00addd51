// §6, §7: numbers, verdicts, refusals, credit upwards.
export default function (test) {
  const text = (receiver, content) => ({ type: 'text', receiver, content });

  test('messages are stored in order and acknowledged', ['ACK-1', 'ACK-2', 'ACK-7', 'TIME-4', 'SEND-17', 'ENG-17'], async (t) => {
    const room = t.room();
    const link = await t.wire().open();
    const before = Date.now();
    await link.settle([1, 2, 3].map((i) => text(room, i)));
    t.ok(Date.now() - before < 1_000, `an ack after ${Date.now() - before} ms`);
    const page = await link.page(1, room, 2 ** 53 - 1, 10);
    t.equal(page.elements.map(({ content }) => content), [1, 2, 3], 'what is stored');
  });

  test('the first send begins at mark + 1, each further one behind the last', ['SEND-8', 'ERR-12'], async (t) => {
    for (const [first, then] of [[2, null], [1, 1], [1, 3]]) {
      const link = await t.wire().open();
      link.wire.written = 1;
      link.write(`send ${first} 1 1\n[{"type":"t","receiver":"${t.room()}"}]`);
      if (then) link.write(`send ${then} 1 1\n[{"type":"t","receiver":"${t.room()}"}]`);
      await link.closes(4002, `4002 after ${first}, ${then}`);
    }
  });

  test('what was settled on an earlier link is not sent again', ['SEND-8', 'ERR-12'], async (t) => {
    const wire = t.wire();
    (await wire.open().then(async (link) => (await link.settle([text(t.room())]), link))).cut();
    const link = await wire.open();
    link.send([text(t.room())], { n: 1 });
    await link.closes(4002);
  });

  test('a link that breaks in the middle: everything arrives once and in order', ['ENG-17', 'ENG-21', 'REF-7', 'WELC-7', 'ENG-6'], async (t) => {
    const room = t.room();
    const wire = t.wire();
    const all = Array.from({ length: 240 }, (_, i) => text(room, i + 1));
    let link = await wire.open();
    for (let mark = 0; mark < all.length; ) {
      for (let n = mark + 1; n <= Math.min(mark + 80, all.length); n += 1) link.send([all[n - 1]], { n, oldest: 1 });
      await link.until(() => link.acked > mark, 'an ack');
      link.cut(); // whatever is under way
      link = await wire.open({ written: wire.written });
      t.ok(link.welcome.mark >= mark, `mark ${link.welcome.mark} after ${mark}`);
      t.equal(link.welcome.producer, 'kept', 'producer');
      mark = link.welcome.mark;
    }
    const page = await link.page(1, room, 2 ** 53 - 1, 256);
    t.equal(page.elements.map(({ content }) => content), all.map(({ content }) => content), 'what is stored');
  });

  test('beyond the credit', ['SEND-9', 'CRED-1', 'LIM-8', 'ERR-12', 'SEND-25', 'CRED-3', 'SEND-24'], async (t) => {
    const room = t.room();
    const key = t.unique('key');
    const link = await t.wire().open();
    const { credit } = link.welcome;
    link.send([{ type: 'hold', content: key, receiver: room }]);
    for (let n = 2; n <= credit; n += 1_000) link.send(Array.from({ length: Math.min(1_000, credit - n + 1) }, () => ({ type: 't', receiver: room })));
    await link.sync(); // a full window waits for the engine, and the node still reads
    t.equal(link.acked, 0, 'acknowledged while the first waits');
    await t.go(key);
    await link.until(() => link.acked === credit && link.credit > credit, 'the window to be settled and credit to grow');
    await link.settle([text(room, 'more')]);
    const second = await t.wire().open();
    second.send([{ type: 'hold', content: t.unique('never'), receiver: room }]);
    for (let n = 2; n <= second.welcome.credit; n += 1_000) {
      second.send(Array.from({ length: Math.min(1_000, second.welcome.credit - n + 1) }, () => ({ type: 't', receiver: room })));
    }
    second.send([text(room)]);
    await second.closes(4002);
  }, { limit: 20_000 });

  test('a window of octets, and the one that overshoots', ['CRED-5', 'CRED-6', 'LIM-9'], async (t) => {
    const room = t.room();
    const key = t.unique('key');
    const big = 'b'.repeat(1_000_000);
    const link = await t.wire().open();
    link.send([{ type: 'hold', content: key, receiver: room }]);
    for (let i = 0; i < 5; i += 1) link.send([text(room, big)]); // the fifth begins below 4 MiB
    await link.sync();
    await t.go(key);
    await link.until(() => link.acked === 6, 'ack 6');
    const other = await t.wire().open();
    other.send([{ type: 'hold', content: t.unique('never'), receiver: room }]);
    for (let i = 0; i < 5; i += 1) other.send([text(room, big)]);
    other.send([text(room, 'small')]);
    await other.closes(4002);
  }, { limit: 20_000 });

  test('oldest may neither fall nor lie', ['SEND-12', 'ERR-12'], async (t) => {
    const room = t.room();
    const start = async () => {
      const link = await t.wire().open();
      await link.settle([text(room), text(room)]);
      return link;
    };
    const falls = await start();
    falls.write(`send 3 0 3\n[]`);
    falls.write(`send 3 0 2\n[]`);
    await falls.closes(4002, '4002 for an oldest that falls');
    const unsettled = await t.wire().open();
    unsettled.send([{ type: 'hold', content: t.unique('never'), receiver: room }]);
    unsettled.write('send 2 0 2\n[]');
    await unsettled.closes(4002, '4002 for an oldest above what was acknowledged');
    const wire = t.wire();
    (await wire.open().then(async (link) => (await link.settle([text(room), text(room)]), link))).cut();
    const below = await wire.open({ oldest: 3 });
    below.send([text(room)], { oldest: 2 });
    await below.closes(4002, '4002 for an oldest below that of hello');
  });

  test('a release needs no credit and names the next number', ['SEND-13', 'ENG-20'], async (t) => {
    const room = t.room();
    const link = await t.wire().open();
    await link.settle([text(room)]);
    const { credit } = link;
    link.write('send 2 0 2\n[]');
    await link.settle([text(room)], { oldest: 2 });
    t.ok(link.credit - credit <= 1, 'a release consumed a number');
    link.write('send 4 0 2\n[]');
    await link.closes(4002, '4002 for a release that names another number');
  });

  test('refusals: listed once, in the right ack, and in the next welcome', ['ACK-3', 'ACK-4', 'REF-1', 'REF-2', 'REF-3', 'REF-8', 'WELC-7', 'ENG-19', 'ENG-12'], async (t) => {
    const room = t.room();
    const wire = t.wire();
    const link = await wire.open();
    const batch = [text(room, 1), { type: 'refuse-me', receiver: room }, text(room, 3), { type: 'refuse-me', receiver: room }, text(room, 5)];
    await link.settle(batch);
    t.equal([...link.refusals], [[2, 'not-today'], [4, 'not-today']], 'refused');
    await link.settle([text(room, 6)]);
    t.equal(link.refusals.size, 2, 'refusals told again');
    const page = await link.page(1, room, 2 ** 53 - 1, 10);
    t.equal(page.elements.map(({ content }) => content), [1, 3, 5, 6], 'what is stored');
    link.cut();
    const second = await wire.open();
    t.equal([second.welcome.mark, second.welcome.refused], [6, [[2, 'not-today'], [4, 'not-today']]], 'all of them, whether told or not');
    second.cut();
    const third = await wire.open({ oldest: 3 });
    t.equal(third.welcome.refused, [[4, 'not-today']], 'those from oldest on');
    wire.oldest = 3;
    third.write('send 7 0 7\n[]');
    await third.sync();
    third.cut();
    const fourth = await wire.open({ oldest: 7 });
    t.equal(fourth.welcome.refused, [], 'after the release');
  });

  test('256 refusals, and then a release', ['REF-4', 'REF-5', 'SEND-15', 'LIM-10', 'SEND-13', 'ENG-19', 'CRED-7'], async (t) => {
    const wire = t.wire();
    const link = await wire.open();
    link.send(Array.from({ length: 300 }, () => ({ type: 'refuse-me' })));
    await link.until(() => link.acked === 256, 'ack 256');
    t.equal(link.refusals.size, 256, 'refusals told');
    await link.sync();
    const { credit } = link;
    t.equal(link.acked, 256, 'acknowledged with 256 refusals kept');
    link.write('send 301 0 257\n[]'); // read ahead of the 44 that wait
    await link.until(() => link.acked === 300 && link.credit > credit, 'the rest, and credit');
    t.equal(link.refusals.size, 300, 'refusals told');
  });

  test('256 refusals across a reconnect: no credit until they are let go', ['REF-4', 'REF-5', 'LIM-10', 'CRED-7'], async (t) => {
    const wire = t.wire();
    const link = await wire.open();
    await link.settle(Array.from({ length: 256 }, () => ({ type: 'refuse-me' })));
    link.cut();
    const second = await wire.open();
    t.equal([second.welcome.refused.length, second.welcome.credit, second.welcome.mark], [256, 256, 256], 'refused, credit, mark');
    second.write('send 257 0 200\n[]');
    await second.until(() => second.credit > 256, 'credit');
    await second.settle([text(t.room())], { oldest: 200 });
  });

  test('a withdrawn message', ['SEND-16'], async (t) => {
    const link = await t.wire().open();
    await link.settle(['null']);
    t.equal([...link.refusals], [[1, 'withdrawn']], 'refused');
  });

  test('each number waits for the one before it', ['SEND-17', 'ACK-1', 'NODE-10'], async (t) => {
    const room = t.room();
    const key = t.unique('key');
    const reader = await t.wire().open({ rooms: [{ room, from: null }] });
    const link = await t.wire().open();
    link.send([text(room, 1), { type: 'hold', content: key, receiver: room }, text(room, 3)]);
    await link.until(() => link.acked === 1, 'ack 1');
    await link.sync();
    await reader.until(() => reader.of(room).length === 1, 'the first');
    await reader.fence(); // another link is not held up
    t.equal([link.acked, reader.of(room).length], [1, 1], 'acknowledged and pushed before the second has its verdict');
    await t.go(key);
    await link.until(() => link.acked === 3, 'ack 3');
    await reader.until(() => reader.of(room).length === 3, 'the others');
    t.equal(reader.of(room).map(({ envelope }) => envelope.content), [1, key, 3], 'the order');
  });

  test('a hook that always fails', ['SEND-18', 'CODE-4004'], async (t) => {
    const wire = t.wire();
    const link = await wire.open();
    link.send([{ type: 'fail', receiver: t.room() }]);
    await link.closes(4004);
    const { welcome } = await wire.open();
    t.equal([welcome.mark, welcome.refused], [0, []], 'nothing is recorded');
  });

  test('a hook that fails once', ['SEND-18'], async (t) => {
    const room = t.room();
    const link = await t.wire().open();
    await link.settle([{ type: 'fail-once', content: t.unique('k'), receiver: room }]);
    t.equal([...link.refusals], [], 'refused');
  });

  test('the sender is who has authenticated', ['SEND-19', 'SEC-8'], async (t) => {
    const room = t.room();
    const link = await t.wire().open({ rooms: [{ room, from: null }] });
    const forged = ['"admin"', 'null', '{"a":1}', '12'].map((sender) => `{"sender":${sender},"type":"t","receiver":"${room}"}`);
    await link.settle([...forged, `{"\\u0073ender":"admin","type":"t","receiver":"${room}"}`]);
    await link.until(() => link.of(room).length === 5, 'the messages');
    t.ok(link.of(room).every(({ envelope }) => envelope.sender === link.welcome.identity), 'a forged sender');
    t.ok(link.of(room).every(({ raw }) => !raw.includes('admin') && raw.split('ender"').length === raw.split('"type"').length), 'two senders in one message');
  });

  test('what is not understood is passed on unchanged', ['FRM-6', 'FRM-15', 'SEND-19', 'SEC-6'], async (t) => {
    const room = t.room();
    const link = await t.wire().open({ rooms: [{ room, from: null }] });
    const numbers = '[12345678901234567890123,9007199254740993,0.1234567890123456789,1e-400]';
    await link.settle([`{"id":{"a":[1]},"type":"","receiver":"${room}","content":${numbers},"timestamp":"x","meta":[true],"extra":{"sender":"x"},"__proto__":{"type":5}}`, { type: 'bare', receiver: room }]);
    await link.until(() => link.of(room).length === 2, 'the messages');
    const [{ envelope, raw }, { envelope: bare }] = link.of(room);
    t.ok(raw.includes(numbers), `numbers were written anew: ${raw}`);
    t.equal([envelope.id, envelope.type, envelope.timestamp, envelope.meta, envelope.extra], [{ a: [1] }, '', 'x', [true], { sender: 'x' }], 'members');
    t.ok(Object.hasOwn(envelope, '__proto__'), 'a member is missing');
    t.equal(Object.keys(bare).sort(), ['receiver', 'sender', 'type'], 'members of a message that has few');
  });

  test('no receiver', ['SEND-20', 'REF-8'], async (t) => {
    const link = await t.wire().open();
    await link.settle([{ type: 't' }, { type: 't', receiver: null }]);
    t.equal([...link.refusals], [[1, 'no-receiver'], [2, 'no-receiver']], 'refused');
  });

  test('a receiver that the hook names', ['SEND-20'], async (t) => {
    const room = t.room();
    const link = await t.wire().open({ rooms: [{ room, from: null }] });
    await link.settle([{ type: 'named', content: room }, { type: 'named', content: room, receiver: null }, { type: 'named', content: room, receiver: t.room() }]);
    await link.until(() => link.of(room).length === 3, 'the messages under the subject that was named');
  });

  test('subjects that begin with _ are the server’s', ['SEND-27'], async (t) => {
    const link = await t.wire().open();
    await link.settle([text('_inbox'), text('_'), { type: 'named', content: '_x' }]);
    t.equal([...link.refusals.values()], ['forbidden', 'forbidden', 'forbidden'], 'refused');
  });

  test('a message of limits.message and one of an octet more', ['LIM-2', 'REF-6', 'LIM-23', 'NODE-8', 'REF-8'], async (t) => {
    const room = t.room();
    const link = await t.wire().open();
    const limit = link.welcome.limits.message;
    const sized = (size) => {
      const bare = JSON.stringify(text(room, ''));
      return JSON.stringify(text(room, 'a'.repeat(size - bare.length)));
    };
    await link.settle([sized(limit)]);
    t.equal([...link.refusals], [], 'refused at the limit');
    await link.settle([sized(limit + 1)]);
    t.equal([...link.refusals], [[2, 'too-large']], 'refused above it');
    const envelope = { type: 'file', receiver: room };
    const line = JSON.stringify(envelope).length + 1;
    link.sendBinary(envelope, Buffer.alloc(limit - line, 7));
    await link.until(() => link.acked === 3, 'ack 3');
    link.sendBinary(envelope, Buffer.alloc(limit - line + 1, 7));
    await link.until(() => link.acked === 4, 'ack 4');
    t.equal([...link.refusals], [[2, 'too-large'], [4, 'too-large']], 'refused, binary');
    const page = await link.page(1, room, 2 ** 53 - 1, 1);
    t.equal(page.elements[0].content.length, limit - line, 'what is stored comes back');
  });

  test('a frame over its limit', ['LIM-3', 'ERR-5', 'CODE-1009'], async (t) => {
    const wire = t.wire();
    const link = await wire.open();
    const most = Math.max(link.welcome.limits.message, 65_536) + 32_768;
    link.write(`x-${' '.repeat(most - 2)}`);
    await link.sync();
    link.write(`x-${' '.repeat(most - 1)}`);
    await link.closes(1009);
  });

  test('binary messages', ['FRM-7', 'FRM-8', 'TRN-4', 'SEND-19'], async (t) => {
    const room = t.room();
    const link = await t.wire().open({ rooms: [{ room, from: null }] });
    const content = Buffer.from('000a0d207f80fffe0a', 'hex');
    link.send([text(room, 1)]);
    link.sendBinary({ type: 'file', receiver: room, sender: 'admin', meta: { name: 'é' } }, content);
    link.send([text(room, 3)]);
    await link.until(() => link.of(room).length === 3, 'three messages');
    const [, { envelope }] = link.of(room);
    t.equal(Buffer.from(envelope.content).toString('hex'), content.toString('hex'), 'content');
    t.equal([envelope.sender, envelope.meta], [link.welcome.identity, { name: 'é' }], 'members');
  });

  test('a link that was replaced stores nothing and is told', ['SEND-23', 'ENG-14', 'ENG-6', 'NODE-6', 'CODE-4005', 'ERR-28'], async (t) => {
    const room = t.room();
    const wire = t.wire();
    const old = await wire.open();
    await old.settle([text(room, 'first')]);
    const link = await wire.open();
    if (!old.closed) old.send([text(room, 'zombie')], { n: 2 });
    await old.closes(4005);
    t.equal(old.acked, 1, 'acknowledged on the old link');
    await link.settle([text(room, 'second')], { n: 2 });
    const page = await link.page(1, room, 2 ** 53 - 1, 10);
    t.equal(page.elements.map(({ content }) => content), ['first', 'second'], 'what is stored');
  });

  test('a link that is replaced while a verdict is pending', ['SEND-23', 'ENG-14', 'ENG-6', 'ACK-1'], async (t) => {
    const room = t.room();
    const key = t.unique('key');
    const wire = t.wire();
    const old = await wire.open();
    old.send([{ type: 'hold', content: key, receiver: room }]);
    await old.sync();
    const link = await wire.open();
    t.equal(link.welcome.mark, 0, 'mark');
    await t.go(key);
    await link.settle([text(room, 'mine')], { n: 1 });
    if (!old.closed) old.write('send 2 0 1\n[]');
    await old.closes(4005);
    t.equal(old.acked, 0, 'acknowledged on the old link');
    const page = await link.page(1, room, 2 ** 53 - 1, 10);
    t.equal(page.elements.map(({ content }) => content), ['mine'], 'what is stored');
  });

  test('what was carried out before an error stays, what comes after it does not count', ['CLOSE-2', 'CODE-4002'], async (t) => {
    const room = t.room();
    const wire = t.wire();
    const link = await wire.open();
    link.send([text(room, 1)]);
    await link.until(() => link.acked === 1, 'ack 1');
    link.write('join se%c3cret');
    link.send([text(room, 2)]);
    const { reason } = await link.closes(4002);
    t.ok(!/se%c3cret|secret/.test(reason), `the reason repeats what the peer wrote: ${reason}`);
    t.ok(Buffer.byteLength(reason) <= 123, 'the reason is too long');
    const { welcome } = await wire.open();
    t.equal(welcome.mark, 1, 'mark');
  });

  test('the close code outlives what the peer still writes', ['CLOSE-11'], async (t) => {
    const link = await t.wire().open();
    link.write('nonsense');
    for (let i = 0; i < 40; i += 1) link.write(`x-${' '.repeat(100_000)}`);
    await link.closes(4002);
  });
}
