// §12: requests and their answers.
export default function (test) {
  const ask = (type, content, more) => ({ type, content, meta: { request: true }, ...more });

  test('a request and its answer', ['REQ-1', 'REQ-2', 'REQ-8', 'ENG-32'], async (t) => {
    const link = await t.wire().open();
    const n = link.send([ask('echo', { a: [1] })]);
    const { type, content } = await link.reply(n);
    t.equal([typeof type, content], ['string', { a: [1] }], 'the answer');
    await link.until(() => link.acked === n, 'its ack: a reply is none');
    t.equal(link.refusals.size, 0, 'refused');
  });

  test('a request is pushed to nobody, whatever its receiver', ['REQ-1', 'SEND-27'], async (t) => {
    const room = t.room();
    const link = await t.wire().open({ rooms: [{ room, from: null }] });
    const last = link.send([ask('echo', 1, { receiver: room }), ask('echo', 2, { receiver: '_x' }), ask('echo', 3, { receiver: link.welcome.identity })]);
    await link.reply(last);
    await link.fence();
    t.equal([link.of(room).length, link.messages.length, link.refusals.size], [0, 1, 0], 'pushed, in all, refused');
    t.equal((await link.page(1, room, 2 ** 53 - 1, 5)).s.length, 0, 'in the history of the room');
  });

  test('only true makes a request', ['REQ-1'], async (t) => {
    const room = t.room();
    const link = await t.wire().open({ rooms: [{ room, from: null }] });
    await link.settle([1, 'true', [true], null].map((request) => ({ type: 'echo', receiver: room, meta: { request } })));
    await link.until(() => link.of(room).length === 4, 'ordinary messages');
    t.equal(link.replies.length, 0, 'replies');
  });

  test('a handler that fails, and one that is not there', ['REQ-12'], async (t) => {
    const link = await t.wire().open();
    const failed = await link.request('boom');
    t.equal([failed.type, typeof failed.content.code, typeof failed.content.message], ['error', 'string', 'string'], 'the answer');
    const missing = await link.request('nobody-handles-this').catch((error) => error);
    t.ok(missing.type === 'error', `the answer is ${JSON.stringify(missing)}`);
  });

  test('an answer across a reconnect', ['REQ-4', 'REQ-6', 'REQ-7', 'REQ-3', 'NODE-13'], async (t) => {
    for (const away of [true, false]) {
      const key = t.unique('key');
      const wire = t.wire();
      const link = await wire.open();
      await link.settle([ask('wait', key), ask('echo', 'old')]);
      await link.reply(2);
      link.cut();
      if (away) await t.go(key);
      const again = await wire.open({ pending: [1] });
      if (!away) await t.go(key);
      t.equal((await again.reply(1)).content, key, 'the answer');
      await again.sync();
      t.equal(again.replies.map(({ n }) => n), [1], 'answers to what was asked for');
    }
  });

  test('answers come in the order of the inbox', ['REQ-6', 'REQ-7'], async (t) => {
    const keys = [t.unique('a'), t.unique('b'), t.unique('c')];
    const wire = t.wire();
    const link = await wire.open();
    await link.settle(keys.map((key) => ask('wait', key)));
    await t.go(keys[2]);
    await link.reply(3);
    await t.go(keys[0]);
    await link.reply(1);
    t.equal(link.replies.map(({ n }) => n), [3, 1], 'answers');
    link.cut();
    const again = await wire.open({ pending: [1, 2, 3] });
    await t.go(keys[1]);
    await again.reply(2);
    t.equal(again.replies.map(({ n }) => n), [3, 1, 2], 'answers on the next link');
  });

  test('a request runs once', ['REQ-2', 'REQ-3'], async (t) => {
    const key = t.unique('key');
    const wire = t.wire();
    let mark = 0;
    for (let i = 0; mark < 10; i += 1) {
      const link = await wire.open({ written: wire.written });
      mark = link.welcome.mark;
      for (let n = mark + 1; n <= 10; n += 1) link.send([ask('count', key)], { n, oldest: 1 });
      if (mark < 10 && i < 8) await link.until(() => link.acked > mark || link.replies.length, 'an ack or a reply');
      else if (mark < 10) await link.until(() => link.acked === 10, 'ack 10');
      link.cut();
    }
    const last = await wire.open();
    t.equal((await last.request('count', key)).content, 11, 'how often it ran, with this one');
  });

  test('256 requests run at a time', ['REQ-16', 'SEND-24'], async (t) => {
    const keys = [t.unique('a'), t.unique('b')];
    const link = await t.wire().open();
    link.send([ask('wait', keys[0]), ...Array.from({ length: 255 }, () => ask('wait', keys[1])), ask('echo', 'one too many'), { type: 't', receiver: t.room() }]);
    await link.until(() => link.acked === 256, 'ack 256');
    await link.sync();
    t.equal([link.acked, link.replies.length], [256, 0], 'acknowledged, answered');
    await t.go(keys[0]);
    await link.reply(257);
    await link.until(() => link.acked === 258, 'the rest');
    await t.go(keys[1]);
    await link.until(() => link.replies.length === 257, 'all answers');
  });

  test('an answer that is too long', ['REQ-16'], async (t) => {
    const link = await t.wire().open();
    const { type, content } = await link.request('long', link.welcome.limits.message + 1);
    t.equal([type, content.code], ['error', 'too-large'], 'the answer');
    const fits = await link.request('long', link.welcome.limits.message - 1_000);
    t.equal(fits.content?.length, link.welcome.limits.message - 1_000, 'the answer that fits');
  });

  test('a handler that never answers', ['REQ-16'], async (t) => {
    const link = await t.wire().open();
    const { type, content } = await link.request('wait', t.unique('never'));
    t.equal([type, content.code], ['error', 'timeout'], 'the answer');
  }, { phase: 'slow', limit: 40_000 });

  test('the inbox keeps the newest answers', ['REQ-5', 'REQ-7'], async (t) => {
    const wire = t.wire();
    const link = await wire.open();
    for (let i = 0; i < 600; i += 200) {
      link.send(Array.from({ length: 200 }, (_, k) => ask('echo', i + k)));
      await link.until(() => link.replies.length === i + 200, 'the answers');
    }
    link.cut();
    const pending = Array.from({ length: 256 }, (_, i) => 345 + i);
    const again = await wire.open({ pending, oldest: 345 });
    await again.until(() => again.replies.length === 256, '256 answers');
    t.equal(again.replies.map(({ n, envelope }) => [n, envelope.content]), pending.map((n) => [n, n - 1]), 'answers');
  });

  test('a binary request', ['REQ-1', 'FRM-7'], async (t) => {
    const link = await t.wire().open();
    const n = link.sendBinary({ type: 'count', meta: { request: true } }, Buffer.from(t.unique('bin')));
    t.equal((await link.reply(n)).type !== 'error', true, 'answered with an error');
  });
}
