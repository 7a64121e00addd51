// §9, §10, §11: rooms, pages, casts.
import { spell } from '../kit.mjs';

const NEWEST = 2 ** 53 - 1;

export default function (test) {
  const text = (receiver, content) => ({ type: 'text', receiver, content });

  /** A room with messages, and who wrote them. */
  const filled = async (t, contents, room = t.room()) => {
    const writer = await t.wire().open();
    await writer.settle(contents.map((content) => text(room, content)));
    return { room, writer };
  };

  test('a room is pushed from joined on, and not before', ['ROOM-1', 'ROOM-2', 'ROOM-4', 'ROOM-6', 'NODE-12', 'FRM-2'], async (t) => {
    const { room, writer } = await filled(t, [1, 2]);
    const link = await t.wire().open();
    const [, from] = await link.join(room);
    await writer.settle([text(room, 3)]);
    await link.until(() => link.of(room).length === 1, 'the third message');
    t.equal(link.of(room).map(({ envelope }) => envelope.content), [3], 'pushed');
    const page = await link.page(1, room, NEWEST, 10);
    t.ok(page.s[1] <= from && from < page.s[2], `joined from ${from}, and the messages are ${page.s}`);
  });

  test('a join in the middle of a stream has no hole', ['ROOM-6', 'NODE-12', 'PAGE-9', 'POS-9'], async (t) => {
    const room = t.room();
    const writer = await t.wire().open();
    const link = await t.wire().open();
    for (let i = 0; i < 200; i += 1) writer.send([text(room, i)]);
    const [, from] = await link.join(room);
    for (let i = 200; i < 400; i += 1) writer.send([text(room, i)]);
    await writer.until(() => writer.acked === 400, 'ack 400');
    await link.until(() => link.of(room).at(-1)?.envelope.content === 399, 'the last');
    const old = from > 0 ? await link.page(1, room, from + 1, 256) : { elements: [] };
    const contents = [...old.elements, ...link.of(room).map(({ envelope }) => envelope)].map(({ content }) => content);
    t.equal(contents, [...Array(400).keys()].slice(400 - contents.length), 'page and pushes together');
    t.ok(contents.length >= Math.min(400, 256), `${contents.length} in all`);
  });

  test('a room that is denied, and its messages', ['ROOM-2', 'ROOM-11', 'ROOM-18', 'POS-9'], async (t) => {
    const room = t.room('denied');
    const link = await t.wire().open();
    t.equal(await link.join(room), null, 'joined');
    t.equal(link.denied, [[room, 'forbidden']], 'denied');
    const { writer } = await filled(t, [1, 2], room);
    writer.write(`cast\n[{"type":"c","receiver":"${room}"}]`);
    await writer.sync();
    await link.fence();
    t.equal([link.of(room).length, link.casts.length], [0, 0], 'messages of a denied room');
  });

  test('the subjects of others, and those of the server', ['ROOM-11', 'ROOM-12', 'SEC-2'], async (t) => {
    const bob = await t.wire().open();
    const link = await t.wire().open();
    for (const subject of [bob.welcome.identity, 'user_nobody', 'anon_1', '_inbox', '_']) t.equal(await link.join(subject), null, `joined ${subject}`);
    t.ok(link.denied.every(([, code]) => code === 'forbidden'), JSON.stringify(link.denied));
    await link.settle([text(bob.welcome.identity, 'private')]);
    await link.fence();
    t.equal(link.messages.length, 1, 'messages');
  });

  test('a join of no subject', ['FRM-11', 'ROOM-18'], async (t) => {
    const link = await t.wire().open();
    for (const spelled of ['%00', 'r'.repeat(129), '%FF', '%C3', 'r'.repeat(384)]) link.write(`join ${spelled}`);
    await link.until(() => link.denied.length === 5, 'five denials');
    t.ok(link.denied.every(([, code]) => code === 'malformed'), JSON.stringify(link.denied.map(([, code]) => code)));
    t.equal((await link.page(1, 'a\nb', NEWEST, 1)).code, 'malformed', 'the answer to a page');
    link.write('leave %00');
    await link.sync();
  });

  test('joins are answered in their order', ['ROOM-2'], async (t) => {
    const held = t.room('held-');
    const rooms = [held, t.room('denied'), t.room()];
    const link = await t.wire().open();
    for (const room of rooms) link.write(`join ${spell(room)}`);
    await link.sync();
    await t.go(held);
    await link.until(() => link.joined.length === 2 && link.denied.length === 1, 'three answers');
    const answers = link.frames.filter(({ verb }) => verb === 'joined' || verb === 'denied').map(({ args }) => decodeURIComponent(args[0]));
    t.equal(answers, rooms, 'the order of the answers');
  });

  test('a join while one is unanswered', ['ERR-19'], async (t) => {
    const held = t.room('held-');
    const link = await t.wire().open();
    link.write(`join ${held}`);
    link.write(`join ${held}`);
    await link.closes(4002);
  });

  test('more rooms than a link may have', ['ERR-19', 'LIM-11'], async (t) => {
    const link = await t.wire().open();
    const most = link.welcome.limits.rooms;
    const room = t.room();
    for (let i = 0; i <= most; i += 1) link.write(`join ${room}-${i}`);
    await link.until(() => link.joined.length + link.denied.length === most + 1, 'all answers');
    t.equal(link.denied, [[`${room}-${most}`, 'too-many']], 'denied');
    link.write(`leave ${room}-0`);
    t.ok(await link.join(`${room}-again`), 'denied after one was left');
    t.ok(await link.join(`${room}-1`), 'a room of the filter is not one more');
  });

  test('joining again skips nothing', ['ROOM-13'], async (t) => {
    const { room, writer } = await filled(t, []);
    const link = await t.wire().open({ rooms: [{ room, from: null }], held: [8_192, 0] });
    await writer.settle([1, 2].map((i) => text(room, i)));
    t.ok(await link.join(room), 'denied');
    link.write(`seen ${link.welcome.position} 8192 0`);
    link.outstanding.messages = 0;
    await link.until(() => link.of(room).length === 2, 'both messages');
  });

  test('joining again is no way to the history either', ['ROOM-13', 'ROOM-4'], async (t) => {
    const room = t.room('nohistory');
    const link = await t.wire().open({ held: [8_192, 0] });
    await link.settle([text(link.welcome.identity, 'stuck')]);
    const { writer } = await filled(t, ['before'], room);
    const [, first] = await link.join(room);
    const [, again] = await link.join(room);
    t.ok(again >= first, `joined from ${first}, and again from ${again}`);
    await writer.settle([text(room, 'after')]);
    link.write(`seen ${link.welcome.position} 8192 0`);
    link.outstanding.messages = 0;
    await link.until(() => link.of(room).length > 0, 'a message');
    t.equal(link.of(room).map(({ envelope }) => envelope.content), ['after'], 'pushed');
  });

  test('a leave while a join is unanswered', ['ERR-20', 'ROOM-15'], async (t) => {
    const held = t.room('held-');
    const link = await t.wire().open();
    link.write(`join ${held}`);
    link.write(`leave ${held}`);
    await link.sync();
    await t.go(held);
    await link.until(() => link.joined.length === 1, 'joined');
  });

  test('leaving', ['POS-9', 'ROOM-15', 'ERR-20'], async (t) => {
    const { room, writer } = await filled(t, []);
    const link = await t.wire().open({ rooms: [{ room, from: null }] });
    link.write(`leave ${room}`);
    link.write(`leave ${t.room()}`);
    link.write(`leave ${link.welcome.identity}`);
    await link.sync();
    await writer.settle([text(room, 'unseen')]);
    await link.fence(); // its own subject is still there
    t.equal(link.of(room).length, 0, 'messages after leave');
    await link.join(room);
    await writer.settle([text(room, 'seen')]);
    await link.until(() => link.of(room).length === 1, 'the message after joining again');
    t.equal(link.of(room)[0].envelope.content, 'seen', 'which');
  });

  test('a grant is good for its from and every higher one', ['ROOM-9', 'ROOM-10', 'WELC-10', 'LOST-1'], async (t) => {
    const room = t.room('nohistory');
    const wire = t.wire();
    const link = await wire.open();
    const [, from, grant] = await link.join(room);
    t.ok(grant, 'joined without a grant, where a page would be forbidden');
    const { writer } = await filled(t, [1, 2], room);
    await link.until(() => link.of(room).length === 2, 'two messages');
    link.cut();
    const again = await wire.open();
    t.equal([again.welcome.lost, again.wire.rooms.get(room).from], [null, from], 'the same from');
    again.cut();
    const [{ s }] = link.of(room);
    const higher = await wire.open({ position: from, rooms: [{ room, from: s, grant }] });
    t.equal([higher.welcome.lost, higher.wire.rooms.get(room).from], [null, s], 'a higher from');
    await higher.until(() => higher.of(room).length === 1, 'the second message');
    await writer.sync();
  });

  test('an invented from is history for the asking', ['ROOM-10', 'LOST-2', 'LOST-3', 'ROOM-4'], async (t) => {
    const room = t.room('nohistory');
    const { writer } = await filled(t, ['secret', 'secret'], room);
    const stranger = t.wire();
    const first = await stranger.open();
    const [, from, grant] = await first.join(room);
    const { position, logEpoch } = first.welcome;
    first.cut();
    const other = await t.wire().open();
    const [, , foreign] = await other.join(room);
    for (const forged of [undefined, grant, foreign, 'x', `0.${grant}`]) {
      const link = await stranger.open({ logEpoch, position: 0, rooms: [{ room, from: 0, grant: forged }] });
      t.equal(link.welcome.lost?.subjects.includes(room), true, `lost, with the grant ${forged}`);
      t.ok(link.wire.rooms.get(room).from >= position, `from ${link.wire.rooms.get(room).from}`);
      await link.fence();
      t.equal(link.of(room).length, 0, 'history');
      link.cut();
    }
    const thief = await t.wire().open({ logEpoch, position: from, rooms: [{ room, from, grant }] });
    t.equal(thief.welcome.lost?.subjects, [room], 'with the grant of another identity');
    await writer.sync();
  });

  test('a from of null with an old position begins at the head', ['ROOM-4', 'WELC-10', 'POS-9'], async (t) => {
    const room = t.room('nohistory');
    const wire = t.wire();
    (await wire.open()).cut();
    const { writer } = await filled(t, ['before'], room);
    const link = await wire.open({ rooms: [{ room, from: null }] });
    await writer.settle([text(room, 'after')]);
    await link.until(() => link.of(room).length > 0, 'a message');
    t.equal(link.of(room).map(({ envelope }) => envelope.content), ['after'], 'pushed');
  });

  test('a join by a client that stays behind begins at the head', ['ROOM-4'], async (t) => {
    const room = t.room('nohistory');
    const link = await t.wire().open({ held: [8_192, 0] });
    await link.settle([text(link.welcome.identity, 'stuck')]);
    const { writer } = await filled(t, ['before'], room);
    await link.join(room);
    await writer.settle([text(room, 'after')]);
    link.write(`seen ${link.welcome.position} 8192 0`);
    link.outstanding.messages = 0;
    await link.until(() => link.of(room).length > 0, 'a message');
    t.equal(link.of(room).map(({ envelope }) => envelope.content), ['after'], 'pushed');
  });

  test('since: a grant does not prove that the membership lasted', ['ROOM-19', 'LOST-2'], async (t) => {
    const { writer } = await filled(t, []);
    await writer.fence();
    const since = writer.messages[0].s + 4;
    const room = `since-${since}-${t.tag}`;
    await writer.settle([text(room, 'before')]);
    await writer.fence();
    t.ok(writer.messages.at(-1).s <= since, 'numbers with such holes that this test says nothing');
    while (writer.messages.at(-1).s <= since) await writer.fence();
    await writer.settle([text(room, 'after')]);
    const reader = await t.wire().open();
    const page = await reader.page(1, room, NEWEST, 10);
    t.equal([page.elements.map(({ content }) => content), page.state], [['after'], 'end'], 'the page');
    const wire = t.wire();
    const first = await wire.open();
    const [, , grant] = await first.join(room);
    first.cut();
    const second = await wire.open({ position: since - 3, rooms: [{ room, from: since - 3, grant }] });
    t.ok(second.welcome.lost?.subjects.includes(room), 'not lost');
    await second.fence();
    t.equal(second.of(room).length, 0, 'history');
  }, { phase: 'alone' });

  test('an authorisation that fails', ['ROOM-21', 'CODE-4004'], async (t) => {
    const link = await t.wire().open();
    t.equal((await link.page(1, t.room('broken'), NEWEST, 1)).code, 'unavailable', 'the answer to a page');
    link.write(`join ${t.room('broken')}`);
    await link.closes(4004);
  });

  test('an authorisation that never answers', ['ROOM-21', 'ROOM-22', 'TIME-2', 'TIME-21'], async (t) => {
    const [link, pager] = await Promise.all([t.wire().open(), t.wire().open()]);
    const before = Date.now();
    link.write(`join ${t.room('stuck')}`);
    pager.write(`page 1 ${t.room('stuck')} 5 5`);
    await link.closes(4004);
    await pager.until(() => pager.pages.get(1)?.code, 'the page');
    t.equal(pager.pages.get(1).code, 'unavailable', 'the answer to a page');
    t.ok(Date.now() - before > 9_000 && Date.now() - before < 31_000, `after ${Date.now() - before} ms`);
  }, { phase: 'slow', limit: 33_000 });

  test('revoked at a renewal', ['AUTH-2', 'ROOM-16', 'ROOM-20', 'ROOM-11', 'POS-9'], async (t) => {
    const { room, writer } = await filled(t, []);
    const stays = t.room();
    const wire = t.wire();
    const link = await wire.open({ rooms: [room, stays].map((one) => ({ room: one, from: null })) });
    await link.request('revoke', [link.welcome.identity, room]);
    link.write(`auth\n{"token":"${wire.token}"}`);
    await link.until(() => link.auths.some(({ renewed }) => renewed), 'auth');
    t.equal(link.denied, [[room, 'revoked']], 'denied, before the answer to auth');
    await writer.settle([text(room, 'unseen'), text(stays, 'seen')]);
    await link.until(() => link.of(stays).length === 1, 'the room that stays');
    t.equal(link.of(room).length, 0, 'messages of the other');
    t.equal(await link.join(room), null, 'joined again');
    t.equal(link.denied.at(-1), [room, 'forbidden'], 'the denial that answers a join');
  });

  // ——— pages ———

  test('pages, from the newest down', ['PAGE-1', 'PAGE-2', 'PAGE-3', 'PAGE-5', 'ENG-25'], async (t) => {
    const { room } = await filled(t, [1, 2, 3, 4, 5]);
    const link = await t.wire().open();
    const contents = ({ elements }) => elements.map(({ content }) => content);
    const newest = await link.page(7, room, NEWEST, 2);
    t.equal([contents(newest), newest.state], [[4, 5], 'cut'], 'the newest two');
    const older = await link.page(7, room, newest.s[0], 2);
    t.equal([contents(older), older.state], [[2, 3], 'cut'], 'the two before');
    const last = await link.page(0, room, older.s[0], 2);
    t.equal([contents(last), last.state], [[1], 'end'], 'what is left');
    const exact = await link.page(1, room, NEWEST, 5);
    t.equal([contents(exact), exact.state], [[1, 2, 3, 4, 5], 'end'], 'all of them');
    for (const before of [0, 1, last.s[0]]) {
      const none = await link.page(1, room, before, 5);
      t.equal([none.s, none.state], [[], 'end'], `before ${before}`);
    }
    const empty = await link.page(1, t.room(), NEWEST, 5);
    t.equal([empty.s, empty.state], [[], 'end'], 'a room without messages');
    const [, from] = await link.join(room);
    t.ok(from >= newest.s[1], 'a page moved the place where a room begins');
    t.equal(link.messages.length, 0, 'pushed');
  });

  test('a page of 256, in frames of 64 KiB', ['PAGE-2', 'LIM-4', 'LIM-5', 'LIM-14'], async (t) => {
    const { room, writer } = await filled(t, []);
    for (let i = 0; i < 300; i += 30) await writer.settle(Array.from({ length: 30 }, (_, k) => text(room, `${i + k}:${'x'.repeat(1_000)}`)));
    const link = await t.wire().open();
    const page = await link.page(1, room, NEWEST, 256);
    t.equal([page.s.length, page.state, page.bodies.length > 1], [256, 'cut', true], 'the page');
    t.equal(page.elements[0].content.split(':')[0], '44', 'the oldest of it');
  });

  test('a page of 1 MiB at most', ['PAGE-4'], async (t) => {
    const { room, writer } = await filled(t, []);
    for (let i = 0; i < 3; i += 1) await writer.settle([text(room, `${i}${'x'.repeat(450_000)}`)]);
    const link = await t.wire().open();
    const page = await link.page(1, room, NEWEST, 3);
    t.equal([page.s.length, page.state], [2, 'cut'], 'three long messages');
    t.ok(page.bodies.reduce((a, b) => a + b) <= 1_048_576, `${page.bodies} octets`);
    const wide = await filled(t, [`${'x'.repeat(link.welcome.limits.message - 200)}`]);
    const one = await link.page(2, wide.room, NEWEST, 3);
    t.equal([one.s.length, one.state], [1, 'end'], 'a single one, however long');
  });

  test('pages that may not be read', ['PAGE-6', 'ROOM-11'], async (t) => {
    const bob = await t.wire().open();
    const link = await t.wire().open();
    for (const subject of [t.room('denied'), t.room('nohistory'), bob.welcome.identity, '_inbox']) {
      t.equal((await link.page(1, subject, NEWEST, 5)).code, 'forbidden', `the answer for ${subject}`);
    }
  });

  test('pages beyond what is allowed', ['ERR-21', 'LIM-13', 'LIM-14', 'PAGE-8'], async (t) => {
    const held = t.room('held-');
    const over = [[1, 2, 3, 4, 5].map((id) => `page ${id} ${held} 5 5`), [1, 1].map((id) => `page ${id} ${held} 5 5`), ['page 1 r 5 0'], ['page 1 r 5 257']];
    for (const frames of over) {
      const link = await t.wire().open();
      for (const frame of frames) link.write(frame);
      await link.closes(4002, `4002 after ${frames.at(-1)}`);
    }
    const link = await t.wire().open();
    for (const id of [1, 2, 3, 4]) link.write(`page ${id} ${held} 5 5`);
    await link.sync();
    t.equal(link.pages.size, 0, 'answers');
    await t.go(held);
    await link.until(() => [1, 2, 3, 4].every((id) => link.pages.get(id)?.done), 'four answers');
    await link.page(1, held, 5, 5); // an id is free again
  });

  // ——— casts ———

  test('casts reach who has joined, the sender too, and nothing keeps them', ['CAST-1', 'CAST-3', 'CAST-5', 'ENG-29', 'SEC-8', 'FRM-5', 'POS-1'], async (t) => {
    const room = t.room();
    const rooms = [{ room, from: null }];
    const [link, other, stranger] = await Promise.all([t.wire().open({ rooms }), t.wire().open({ rooms }), t.wire().open()]);
    const bad = ['5', '{}', `{"type":"c","receiver":"_x"}`, '{"type":"c"}', `{"type":"refuse-me","receiver":"${room}"}`, `{"type":"fail","receiver":"${room}"}`, `{"type":"c","receiver":"${room}","a":1,"a":2}`];
    const good = [1, 2, 3].map((i) => `{"type":"c","sender":"admin","receiver":"${room}","content":${i}}`);
    link.write(`cast\n[${[good[0], ...bad, good[1]].join(',')}]`);
    link.write(`cast\n[${good[2]}]`);
    await Promise.all([link, other].map((one) => one.until(() => one.casts.length === 3, 'three casts')));
    await other.fence();
    for (const one of [link, other]) {
      t.equal(one.casts.map(({ content, sender }) => [content, sender]), [1, 2, 3].map((i) => [i, link.welcome.identity]), 'casts');
    }
    await stranger.fence();
    t.equal(stranger.casts.length, 0, 'casts of a room that is not joined');
    t.equal((await link.page(1, room, NEWEST, 5)).s.length, 0, 'casts in the log');
    t.equal(link.acked, 0, 'acknowledged');
  });

  test('a binary cast', ['CAST-3', 'FRM-7'], async (t) => {
    const room = t.room();
    const link = await t.wire().open({ rooms: [{ room, from: null }] });
    link.write(Buffer.concat([Buffer.from(`cast\n{"type":"c","receiver":"${room}"}\n`), Buffer.from([0, 10, 255])]));
    await link.until(() => link.casts.length === 1, 'the cast');
    t.equal(Buffer.from(link.casts[0].content).toString('hex'), '000aff', 'content');
  });

  test('a cast to an identity', ['CAST-3'], async (t) => {
    const [ann, bob] = await Promise.all([t.wire().open(), t.wire().open()]);
    ann.write(`cast\n[{"type":"c","receiver":"${bob.welcome.identity}"}]`);
    await bob.until(() => bob.casts.length === 1, 'the cast');
  });

  // ——— what the log has discarded: more may go with it, so nobody else must be waiting ———

  test('lost: found at hello, and told inside welcome', ['LOST-1', 'LOST-3', 'LOST-5', 'ENG-26', 'ENG-28'], async (t) => {
    const [room, quiet] = [t.room(), t.room()];
    const wire = t.wire();
    const first = await wire.open({ rooms: [room, quiet].map((one) => ({ room: one, from: null })) });
    first.cut();
    const { writer } = await filled(t, [1, 2, 3], room);
    await writer.request('trim', room);
    const again = await wire.open();
    const { position, lost } = again.welcome;
    t.ok(lost?.subjects.includes(room), `lost is ${JSON.stringify(lost)}`);
    t.equal(position, first.welcome.position, 'position');
    t.ok(again.wire.rooms.get(room).from > position, 'from');
    // If this welcome is lost, the next says it again.
    again.cut();
    wire.rooms = new Map([room, quiet].map((one) => [one, { from: first.wire.rooms.get(one).from, grant: first.welcome.rooms.find((r) => r.room === one).grant }]));
    wire.rooms.get(room).from = first.welcome.position;
    wire.position = first.welcome.position;
    const third = await wire.open();
    t.ok(third.welcome.lost?.subjects.includes(room), 'the same loss, found again');
    await writer.settle([text(room, 4)]);
    await third.until(() => third.of(room).length === 1, 'what came after');
    t.equal(third.of(room)[0].envelope.content, 4, 'which');
    t.ok(third.of(room)[0].s >= third.welcome.lost.first, 'first');
  }, { phase: 'sole' });

  test('lost: what was trimmed at or below the position is none', ['LOST-1'], async (t) => {
    const room = t.room();
    const wire = t.wire();
    const first = await wire.open({ rooms: [{ room, from: null }] });
    const { writer } = await filled(t, [1, 2, 3], room);
    await first.until(() => first.of(room).length === 3, 'three messages');
    first.cut();
    await writer.request('trim', room);
    const again = await wire.open({ position: first.of(room).at(-1).s });
    t.ok(!again.welcome.lost?.subjects.includes(room), 'called lost');
  }, { phase: 'sole' });

  test('lost: trimming overtakes a slow link', ['LOST-6', 'LOST-3', 'LOST-2', 'POS-9'], async (t) => {
    const room = t.room();
    const link = await t.wire().open({ rooms: [{ room, from: null }], held: [8_192, 0] });
    const { writer } = await filled(t, [1, 2, 3], room);
    await writer.request('trim', room);
    await writer.settle([text(room, 4)]);
    link.write(`seen ${link.welcome.position} 8192 0`);
    link.outstanding.messages = 0;
    await link.until(() => link.of(room).length === 1 || link.losses.length, 'a loss');
    t.ok(link.losses[0]?.subjects.includes(room), `${link.of(room).length} messages and no loss`);
    await writer.settle([text(room, 5)]);
    await link.until(() => link.of(room).at(-1)?.envelope.content === 5, 'what came after');
    const { first } = link.losses.at(-1);
    t.ok(link.of(room).every(({ s }) => s >= first), 'messages below first');
  }, { phase: 'sole' });
}
