// §13, §14, §15: pings, announcements, credentials, ends.
export default function (test) {
  const text = (receiver, content) => ({ type: 'text', receiver, content });

  test('a ping is answered, also while a message waits', ['LIVE-1', 'LIVE-2', 'SEND-25', 'TRN-6'], async (t) => {
    const link = await t.wire().open();
    link.send([{ type: 'hold', content: t.unique('never'), receiver: t.room() }]);
    const before = Date.now();
    for (const x of [3, 4, 17]) link.write(`ping ${x}`);
    await link.until(() => link.pongs.includes(17), 'pong 17');
    t.ok(Date.now() - before < 1_000, `after ${Date.now() - before} ms`);
    t.ok(link.pongs.every((x) => [3, 4, 17].includes(x)), `pongs ${link.pongs}`);
  });

  test('a pong that nobody asked for', ['LIVE-2', 'ERR-23'], async (t) => {
    const link = await t.wire().open();
    link.write('pong 12345');
    await link.sync();
  });

  test('the node pings after silence, a hidden page too', ['LIVE-3', 'TIME-7', 'LIVE-5', 'LIVE-2'], async (t) => {
    await Promise.all([true, false].map(async (visible) => {
      const link = await t.wire().open({ visible });
      const { heartbeat } = link.welcome;
      const before = Date.now();
      await link.until(() => link.pings.length === 2, 'two pings');
      const [first, second] = link.pings.map(({ at }) => at - before);
      t.ok(first > heartbeat * 0.9 && first < heartbeat + 3_000, `the first ping after ${first} ms`);
      t.ok(second - first > heartbeat * 0.9, `the second ${second - first} ms later`);
    }));
  }, { phase: 'slow', limit: 62_000 });

  test('a ping without an answer ends the link, 20 s after it', ['LIVE-4', 'TIME-8', 'CODE-4003', 'LIVE-5'], async (t) => {
    const link = await t.wire().open();
    link.answersPings = false;
    await link.until(() => link.pings.length > 0, 'a ping');
    const [{ at }] = link.pings;
    await link.until(() => link.closed, 'the end', { evenClosed: true });
    const took = Date.now() - at;
    t.ok([4003, 1006].includes(link.closed.code), `closed with ${link.closed.code}`);
    t.ok(took > 19_500 && took < 25_000, `after ${took} ms`);
  }, { phase: 'slow', limit: 55_000 });

  test('whatever comes restarts that time', ['LIVE-4', 'LIVE-5'], async (t) => {
    const link = await t.wire().open();
    link.answersPings = false;
    await link.until(() => link.pings.length > 0, 'a ping');
    const [{ at }] = link.pings;
    while (Date.now() - at < 25_000) {
      link.write('vis 1');
      await Promise.race([link.until(() => link.closed, 'nothing', { evenClosed: true }), new Promise((resolve) => setTimeout(resolve, 4_000))]);
      t.ok(!link.closed, `closed with ${link.closed?.code} after ${Date.now() - at} ms`);
    }
  }, { phase: 'slow', limit: 55_000 });

  test('more, and what must follow it', ['LIVE-13', 'LIVE-14', 'ERR-25', 'LIVE-15'], async (t) => {
    const frame = (size) => `x-${' '.repeat(size - 2)}`;
    const bad = [['more 16384'], ['more 0'], ['more 20000', frame(20_001)], ['more 20000', frame(16_384)], ['more 20000', 'bye 0'], ['more 20000', 'ping 1'], ['more 20000', 'more 30000']];
    await Promise.all(bad.map(async (frames) => {
      const link = await t.wire().open();
      for (const one of frames) link.write(one);
      await link.closes(4002, `4002 after ${frames.map((one) => one.slice(0, 12))}`);
    }));
    const link = await t.wire().open();
    for (const one of ['more 20000', frame(20_000), 'more 20000', frame(16_385), 'more 9007199254740991', frame(20_000), frame(20_000)]) link.write(one);
    await link.sync();
  });

  test('what begins with x- is of no account', ['FRM-3', 'ERR-4'], async (t) => {
    const link = await t.wire().open();
    for (const frame of ['x-', 'x-trace 1\n{"a":1}', 'x-  Ä', Buffer.from('x-\xff\n', 'latin1')]) link.write(frame);
    await link.settle([text(t.room())]);
  });

  // ——— credentials ———

  test('a renewal', ['AUTH-1', 'AUTH-2'], async (t) => {
    const wire = t.wire();
    const link = await wire.open();
    link.write(`auth\n{"token":"${wire.token}"}`);
    await link.until(() => link.auths.length === 1, 'auth');
    t.equal(link.auths[0], { expires: null, renewed: true }, 'auth');
    link.write(`auth\n{"token":"${wire.token.replace('user', 'brief')}"}`);
    await link.until(() => link.auths.length === 2, 'auth');
    t.equal(link.auths[1].renewed && link.auths[1].expires <= 1_000, true, `auth ${JSON.stringify(link.auths[1])}`);
    await link.settle([text(t.room())]);
  });

  test('a renewal that is refused', ['AUTH-2', 'CODE-4401'], async (t) => {
    const link = await t.wire().open();
    link.write('auth\n{"token":"nobody"}');
    await link.closes(4401);
  });

  test('the token of another identity', ['AUTH-3', 'CODE-4010'], async (t) => {
    const link = await t.wire().open();
    link.write(`auth\n{"token":"user:${t.unique('other')}"}`);
    await link.closes(4010);
  });

  test('a renewal that fails is no refusal', ['AUTH-2', 'ROOM-21'], async (t) => {
    const link = await t.wire().open();
    link.write('auth\n{"token":"fail:x"}');
    await link.closes(4004);
  });

  test('a second auth before the answer to the first', ['ERR-27'], async (t) => {
    const wire = t.wire();
    const link = await wire.open();
    const token = `${wire.token.replace('user', 'held')}:${t.unique('never')}`;
    for (let i = 0; i < 2; i += 1) link.write(`auth\n{"token":"${token}"}`);
    await link.closes(4002);
  });

  test('a renewal that takes its time', ['AUTH-2', 'NODE-10'], async (t) => {
    const key = t.unique('key');
    const wire = t.wire();
    const link = await wire.open();
    link.write(`auth\n{"token":"${wire.token.replace('user', 'held')}:${key}"}`);
    await link.settle([text(t.room())]);
    t.equal(link.auths.length, 0, 'auth before the hook has answered');
    await t.go(key);
    await link.until(() => link.auths.length === 1, 'auth');
  });

  test('what has expired is served for 90 s more', ['AUTH-5', 'TIME-15'], async (t) => {
    const wire = t.wire(`brief:${t.unique('x')}`);
    const link = await wire.open();
    t.ok(link.welcome.expires <= 1_000, `expires ${link.welcome.expires}`);
    await Promise.race([link.closes(), new Promise((resolve) => setTimeout(resolve, 35_000))]);
    t.ok(!link.closed, `closed with ${link.closed?.code}`);
    await link.settle([text(t.room())]);
    t.ok(await link.join(t.room()), 'denied');
  }, { phase: 'slow', limit: 45_000 });

  // ——— ends ———

  test('bye: what came before it is finished, the last ack comes, then 1000', ['BYE-1', 'BYE-2', 'CODE-1000', 'TIME-13'], async (t) => {
    const room = t.room();
    const key = t.unique('key');
    const wire = t.wire();
    const link = await wire.open();
    link.send([text(room, 1), { type: 'hold', content: key, receiver: room }, text(room, 3)]);
    link.write(`bye ${link.told}`);
    await link.until(() => link.acked === 1, 'ack 1').catch(() => {});
    t.ok(!link.closed, 'closed before what came before bye was finished');
    await t.go(key);
    await link.closes(1000);
    t.equal(link.acked, 3, 'acknowledged');
  });

  test('frames after bye', ['BYE-1', 'ERR-28'], async (t) => {
    const wire = t.wire();
    const link = await wire.open();
    const n = link.send([text(t.room())]);
    link.write(`bye ${link.told}`);
    link.write(`send 2 1 1\n[{"type":"t","receiver":"${t.room()}"}]`);
    link.write('nonsense');
    await link.closes(1000);
    t.equal(link.acked, n, 'acknowledged');
    const { welcome } = await wire.open({ written: 2 });
    t.equal(welcome.mark, 1, 'mark');
  });

  test('bye forgets nothing', ['BYE-3'], async (t) => {
    const wire = t.wire();
    const link = await wire.open();
    await link.settle([text(t.room()), { type: 'refuse-me' }]);
    await link.end();
    const { welcome } = await wire.open();
    t.equal([welcome.producer, welcome.mark, welcome.refused], ['kept', 2, [[2, 'not-today']]], 'welcome');
  });

  test('the server drains: goaway, service until the time is up, then the end', ['AWAY-1', 'AWAY-9', 'CODE-4000', 'CODE-1001', 'AWAY-6', 'REQ-15', 'POS-12'], async (t) => {
    const room = t.room();
    const wire = t.wire();
    const [link, idle] = await Promise.all([wire.open({ rooms: [{ room, from: null }] }), t.wire().open()]);
    const asked = Date.now();
    const waiting = link.send([{ type: 'wait', content: t.unique('never'), meta: { request: true } }]);
    link.send([{ type: 'drain', content: { in: 2_000, window: 4_000 }, meta: { request: true } }]);
    await Promise.all([link, idle].map((one) => one.until(() => one.goaway, 'goaway')));
    t.equal([link.goaway.in, link.goaway.window], [2_000, 4_000], 'goaway');
    await link.settle([text(room, 'still served')]);
    await link.until(() => link.of(room).length === 1, 'the push');
    t.ok(await idle.join(t.room()), 'denied while draining');
    const late = await t.wire().refused();
    t.equal(late.code, 1012, `the answer to a hello: ${late.reason}`);
    t.ok(/(^| )window=\d{1,6}$/.test(late.reason), `its reason ${JSON.stringify(late.reason)}`);
    await link.sync();
    t.ok(!link.closed && Date.now() - asked < 4_000, 'closed early');
    while (Date.now() - asked < 3_300) {
      await link.settle([text(room)]);
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    const last = link.of(room).at(-1).s;
    await Promise.all([link, idle].map((one) => one.closes(4000)));
    const took = Date.now() - asked;
    t.ok(took > 3_800 && took < 9_500, `ended after ${took} ms`);
    const answer = link.replies.find(({ n }) => n === waiting)?.envelope;
    t.equal([answer?.type, answer?.content?.code], ['error', 'in-doubt'], 'the answer to a request that still ran');
    t.ok(idle.told >= last, `no last advance: ${idle.told} was told, and ${last} was stored before`);
  }, { phase: 'last', limit: 20_000 });
}
