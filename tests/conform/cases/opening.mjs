// §2, §5: opening a link, hello and welcome, claims.
import { fresh, spell } from '../kit.mjs';

export default function (test) {
  // A hello of a used producer has seen a log, [HELLO-7].
  const used = { logEpoch: 'another', position: 0 };

  test('the subprotocol is selected', ['TRN-4'], async (t) => {
    const link = await t.wire().open();
    t.equal(link.socket.protocol, 'everwire.v1', 'the subprotocol');
  });

  test('a first welcome', ['WELC-2', 'WELC-9', 'WELC-11', 'CRED-4', 'NUM-3', 'FRM-13', 'LIM-2', 'LIM-11', 'KEEP-5'], async (t) => {
    const wire = t.wire(`user:${t.unique('ann')}`);
    const { welcome } = await wire.open();
    t.equal(welcome.identity, wire.token.replace('user:', 'user_'), 'identity');
    t.equal([welcome.producer, welcome.born, welcome.mark, welcome.refused], ['kept', 1, 0, []], 'the record');
    t.ok(welcome.credit > 0, 'no credit at all for a new producer');
    t.equal([welcome.denied, welcome.lost], [[], null], 'denied and lost');
    t.equal(welcome.rooms.map(({ room }) => room), [welcome.identity], 'rooms');
  });

  test('an anonymous identity comes from the producer and is no secret', ['SEC-2', 'SEC-1', 'HELLO-20'], async (t) => {
    const wire = t.wire(null);
    const first = await wire.open();
    first.cut();
    const second = await wire.open();
    t.ok(first.welcome.identity.startsWith('anon_'), first.welcome.identity);
    t.equal(second.welcome.identity, first.welcome.identity, 'the identity of the same producer');
    const other = await t.wire(null).open();
    t.ok(other.welcome.identity !== first.welcome.identity, 'two producers with one identity');
  });

  test('no hello in 10 s', ['HELLO-12', 'TIME-1', 'CODE-4001', 'SEC-9'], async (t) => {
    const link = await t.wire().dial();
    const before = Date.now();
    await link.closes(4001);
    const took = Date.now() - before;
    t.ok(took > 9_500 && took < 14_000, `closed after ${took} ms`);
  }, { phase: 'slow', limit: 20_000 });

  test('octets of a hello that is on its way move its deadline', ['HELLO-12', 'TIME-1', 'LIM-6'], async (t) => {
    const wire = t.wire();
    const link = await wire.dial();
    link.said = wire.hello();
    const whole = `hello\n${JSON.stringify(link.said)}`;
    const begun = Date.now();
    // Twelve seconds' worth; or, for a node that sees only frames, within its 60 s.
    link.socket.send(whole + ' '.repeat(12_000), { fin: false });
    await Promise.race([link.closes(), new Promise((resolve) => setTimeout(resolve, 15_000).unref())]);
    t.ok(!link.closed, `closed with ${link.closed?.code} after ${Date.now() - begun} ms`);
    link.socket.send(' ', { fin: true });
    await link.until(() => link.welcome, 'welcome');
  }, { phase: 'slow', limit: 25_000 });

  test('the first frame must be hello', ['ERR-9', 'HELLO-1'], async (t) => {
    for (const frame of ['ping 1', 'send 1 0 1\n[]', 'bye 0', 'x-a', 'welcome\n{}']) {
      const link = await t.wire().dial();
      link.write(frame);
      await link.closes(4002);
    }
  });

  test('a second hello', ['ERR-9', 'HELLO-1'], async (t) => {
    const wire = t.wire();
    const link = await wire.open();
    link.write(`hello\n${JSON.stringify(wire.hello())}`);
    await link.closes(4002);
  });

  test('another version', ['ERR-10', 'CODE-4500', 'HELLO-13'], async (t) => {
    // Looked at before any other member, the token included.
    await t.ok((await t.wire('nobody').refused({ version: 2, link: 'x' })).code === 4500, 'version 2 is not answered with 4500');
  });

  test('while the node makes up its mind only bye may come', ['HELLO-2'], async (t) => {
    const wire = t.wire(`slow:${t.unique('x')}`);
    const link = await wire.dial();
    link.hello(wire.hello());
    link.write('ping 1');
    await link.closes(4002);
  });

  test('bye while the node makes up its mind', ['BYE-2', 'BYE-1'], async (t) => {
    const wire = t.wire(`slow:${t.unique('x')}`);
    const link = await wire.dial();
    link.hello(wire.hello());
    link.write('bye 0');
    await link.closes(1000);
    t.ok(!link.welcome, 'welcome came');
  });

  test('a refused token', ['CODE-4401', 'HELLO-19'], async (t) => {
    const link = await t.wire('nobody-knows-this').refused();
    t.equal(link.code, 4401, 'the code');
  });

  test('an identity that may not connect', ['CODE-4403'], async (t) => {
    t.equal((await t.wire('banned:x').refused()).code, 4403, 'the code');
  });

  test('identities that the protocol does not allow', ['HELLO-13', 'ROOM-12'], async (t) => {
    for (const identity of ['_x', 'room-x', 'lobby', 'user_%0A', `user_${'x'.repeat(128)}`]) {
      t.equal((await t.wire(`raw:${identity}`).refused()).code, 4403, `the code for ${identity}`);
    }
  });

  test('an authentication that fails', ['HELLO-15', 'CODE-4004'], async (t) => {
    t.equal((await t.wire('fail:x').refused()).code, 4004, 'the code');
  });

  test('an authentication that never answers', ['HELLO-15', 'TIME-2'], async (t) => {
    const before = Date.now();
    t.equal((await t.wire('slow:x').refused()).code, 4004, 'the code');
    t.ok(Date.now() - before > 9_000, `after ${Date.now() - before} ms`);
  }, { phase: 'slow', limit: 15_000 });

  test('an authorisation of hello that fails', ['HELLO-15'], async (t) => {
    t.equal((await t.wire().refused({ rooms: [{ room: t.room('broken'), from: null }] })).code, 4004, 'the code');
  });

  test('a page from an origin that is not on the list', ['SEC-3'], async (t) => {
    const link = t.wire();
    const dial = link.dial({ origin: 'https://evil.example' });
    const outcome = await dial.then((one) => {
      one.hello(link.hello());
      return one.until(() => one.welcome, 'welcome').then(() => 'welcome', () => 'closed');
    }, () => 'not opened');
    t.ok(outcome !== 'welcome', 'a page of another origin was welcomed');
    await t.wire().open({}, { origin: 'https://allowed.example' });
  });

  test('a hello of 262,144 octets and one of an octet more', ['LIM-6', 'SEC-9', 'ERR-5', 'CODE-1009'], async (t) => {
    const padded = async (size) => {
      const wire = t.wire();
      const link = await wire.dial();
      link.said = wire.hello();
      const text = `hello\n${JSON.stringify(link.said)}`;
      link.write(text + ' '.repeat(size - Buffer.byteLength(text)));
      return link;
    };
    const fits = await padded(262_144);
    await fits.until(() => fits.welcome, 'welcome');
    await (await padded(262_145)).closes(1009);
  });

  test('257 rooms: 256 besides the own subject', ['LIM-11', 'WELC-10', 'ROOM-18', 'LIM-7'], async (t) => {
    const room = t.room();
    const rooms = Array.from({ length: 257 }, (_, i) => ({ room: `${room}-${i}`, from: null }));
    const wire = t.wire();
    const { welcome } = await wire.open({ rooms });
    const most = welcome.limits.rooms;
    t.equal([welcome.rooms.length, welcome.denied.length], [most + 1, 257 - most], 'rooms and denied');
    t.ok(welcome.denied.every(({ code }) => code === 'too-many'), JSON.stringify(welcome.denied));
    const own = `user_${wire.token.slice(5)}`;
    const again = await wire.open({ rooms: [...rooms.slice(0, 256), { room: own, from: null }] });
    t.equal([again.welcome.rooms.length, again.welcome.denied.length], [most + 1, 256 - most], 'with the own subject among them');
  });

  test('rooms that are no subjects, or not for this client, are denied in welcome', ['FRM-11', 'WELC-10', 'ROOM-11', 'ROOM-18'], async (t) => {
    const open = t.room();
    const others = `user_${t.unique('bob')}`;
    const denied = t.room('denied');
    const rooms = [open, '', 'a\nb', 'r'.repeat(129), '_inbox', others, denied].map((room) => ({ room, from: null }));
    const { welcome } = await t.wire().open({ rooms });
    const codes = Object.fromEntries(welcome.denied.map(({ room, code }) => [room, code]));
    t.equal(codes, { '': 'malformed', 'a\nb': 'malformed', ['r'.repeat(129)]: 'malformed', _inbox: 'forbidden', [others]: 'forbidden', [denied]: 'forbidden' }, 'denied');
    t.ok(welcome.rooms.some(({ room }) => room === open), 'the one that is open to all is missing');
  });

  test('a welcome that was lost changes nothing', ['WELC-13', 'WELC-7'], async (t) => {
    const wire = t.wire();
    const link = await wire.open();
    await link.settle([{ type: 't', receiver: t.room() }, { type: 'refuse-me', receiver: t.room() }]);
    link.cut();
    const before = { ...wire, rooms: new Map(wire.rooms) };
    const first = await wire.open();
    first.cut();
    Object.assign(wire, { position: before.position, rooms: before.rooms });
    const second = await wire.open();
    for (const one of [first, second]) delete one.welcome.time;
    const plain = ({ welcome }) => JSON.stringify({ ...welcome, credit: 0, rooms: welcome.rooms.map(({ room, from }) => [room, from]) });
    t.equal(plain(second), plain(first), 'the second welcome');
  });

  test('features that nobody knows are not in force', ['WELC-14'], async (t) => {
    const { welcome } = await t.wire().open({ features: ['no-such-extension'] });
    t.equal(welcome.features, [], 'features');
  });

  // ——— claims ———

  test('a used producer that nobody knows is not made: the successor', ['HELLO-16', 'ENG-7', 'WELC-5'], async (t) => {
    const wire = t.wire();
    const { welcome } = await wire.open({ ...used, written: 5, successor: wire.successor, born: 1, link: 7 });
    t.equal([welcome.producer, welcome.mark, welcome.born, welcome.refused], ['successor', 0, 7, []], 'welcome');
    // The first was not made by that: a claim with written 0 makes it.
    const again = t.wire(wire.token);
    const made = await again.open({ producer: wire.links[0].said.producer, link: 1 });
    t.equal([made.welcome.producer, made.welcome.born], ['kept', 1], 'the producer that was not made');
  });

  test('the same link number, and a lower one, is fenced', ['ENG-10', 'HELLO-17', 'CODE-4005'], async (t) => {
    const wire = t.wire();
    const link = await wire.open({ link: 5 });
    t.equal((await wire.refused({ link: 5 })).code, 4005, 'the code for the same');
    t.equal((await wire.refused({ link: 4 })).code, 4005, 'the code for a lower one');
    await link.sync();
  });

  test('another born is another life', ['ENG-7', 'WELC-5', 'HELLO-16'], async (t) => {
    const wire = t.wire();
    const link = await wire.open({ link: 3 });
    await link.settle([{ type: 't', receiver: t.room() }]);
    link.cut();
    const { welcome } = await wire.open({ born: 2, link: 4 });
    t.equal(welcome.producer, 'successor', 'producer');
  });

  test('a mark outside of what the client can believe is unknown, and fences', ['ENG-11', 'WELC-5', 'HELLO-16'], async (t) => {
    const room = t.room();
    const reader = await t.wire().open({ rooms: [{ room, from: null }] });
    for (const over of [{ written: 2 }, { oldest: 5, written: 9 }]) {
      const wire = t.wire();
      const old = await wire.open();
      await old.settle([1, 2, 3].map((content) => ({ type: 't', receiver: t.room(), content })));
      const other = t.wire(wire.token);
      const { welcome } = await other.open({ producer: wire.producer, successor: fresh(), link: 9, born: 1, ...used, ...over });
      t.equal(welcome.producer, 'successor', `producer for ${JSON.stringify(over)}`);
      // Nothing is stored behind its back: the older link is out.
      old.send([{ type: 'late', receiver: room }]);
      await old.closes(4005);
      await reader.fence();
      t.equal(reader.of(room).length, 0, 'messages of a producer that was given up');
    }
  });

  test('an oldest below the floor is unknown', ['ENG-11', 'ENG-15', 'HELLO-8', 'REF-3'], async (t) => {
    const wire = t.wire();
    const link = await wire.open();
    await link.settle([{ type: 'refuse-me' }, { type: 'refuse-me' }]);
    link.write('send 3 0 3\n[]');
    await link.sync();
    link.cut();
    const { welcome } = await wire.open({ oldest: 1 });
    t.equal(welcome.producer, 'successor', 'producer: a forgotten refusal would read as stored');
  });

  test('a record belongs to its identity', ['ENG-9', 'SEC-2', 'HELLO-16', 'ENG-13'], async (t) => {
    const wire = t.wire();
    const link = await wire.open();
    await link.settle([{ type: 't', receiver: t.room() }]);
    const thief = t.wire();
    const { welcome } = await thief.open({ producer: wire.producer, successor: thief.successor, link: 99, written: 1, born: 1, ...used });
    t.equal([welcome.producer, welcome.mark], ['successor', 0], 'what a stranger gets');
    t.equal((await t.wire().refused({ producer: wire.producer, link: 100 })).code, 4005, 'the code for a stranger without a successor');
    // Neither has fenced the owner.
    await link.settle([{ type: 't', receiver: t.room() }]);
  });

  test('an unused record is bound anew', ['ENG-9', 'ENG-12', 'ENG-8'], async (t) => {
    const wire = t.wire();
    (await wire.open()).cut();
    const other = t.wire();
    other.producer = wire.producer;
    const link = await other.open({ link: 2 });
    t.equal([link.welcome.producer, link.welcome.born], ['kept', 1], 'welcome');
    await link.settle([{ type: 't', receiver: t.room() }]);
    link.cut();
    t.equal((await other.open({ link: 3 })).welcome.producer, 'kept', 'producer, once it is used');
    t.equal((await wire.refused({ link: 4 })).code, 4005, 'the answer to whom it was bound before');
  });

  test('a stranger with a refused token fences nobody', ['HELLO-13', 'ENG-13'], async (t) => {
    const wire = t.wire();
    const link = await wire.open();
    t.equal((await t.wire('nobody').refused({ producer: wire.producer, link: 50 })).code, 4401, 'the code');
    await link.settle([{ type: 't', receiver: t.room() }]);
  });

  test('neither producer can be used', ['HELLO-17', 'CODE-4005'], async (t) => {
    const other = t.wire();
    const link = await other.open();
    await link.settle([{ type: 't', receiver: t.room() }]);
    const wire = t.wire();
    t.equal((await wire.refused({ ...used, written: 1, born: 1, link: 2, successor: other.producer })).code, 4005, 'the code');
  });

  test('with a fresh producer an anonymous client is somebody else', ['HELLO-20'], async (t) => {
    const wire = t.wire(null);
    const first = await wire.open();
    first.cut();
    const own = first.welcome.identity;
    const { welcome } = await wire.open({ written: 5, successor: wire.successor, born: 2, link: 9, rooms: [{ room: own, from: first.welcome.position }] });
    t.equal(welcome.producer, 'successor', 'producer');
    t.ok(welcome.identity !== own, 'the identity did not change');
    t.equal(welcome.denied.map(({ room }) => room), [own], 'denied');
  });

  test('a room that is no longer allowed is denied at the next hello', ['HELLO-14', 'ROOM-11'], async (t) => {
    const wire = t.wire();
    const room = t.room();
    const link = await wire.open({ rooms: [{ room, from: null }] });
    await link.request('revoke', [link.welcome.identity, room]);
    await link.sync();
    link.cut();
    wire.rooms.set(room, wire.rooms.get(room) ?? { from: link.welcome.position });
    const { welcome } = await wire.open();
    t.equal(welcome.denied, [{ room, code: 'forbidden' }], 'denied');
  });

  // ——— log epochs ———

  test('a position of another log', ['EPOCH-1', 'POS-6', 'LOST-3', 'LOST-5'], async (t) => {
    const [known, wished, denied] = [t.room(), t.room(), t.room('denied')];
    const writer = await t.wire().open();
    await writer.settle([{ type: 't', receiver: known }]);
    const rooms = [{ room: known, from: 1 }, { room: wished, from: null }, { room: denied, from: 1 }];
    const { welcome } = await t.wire().open({ logEpoch: 'another', position: 2, rooms });
    t.ok(welcome.logEpoch !== 'another', 'the log epoch');
    t.equal(welcome.lost?.subjects, [known], 'what is lost: what had a from and is in the filter');
    t.ok(welcome.rooms.every(({ from }) => from === welcome.position), 'froms at the head');
    t.ok(welcome.position >= 1 && welcome.lost.first === welcome.position + 1, `position ${welcome.position}, first ${welcome.lost.first}`);
  });

  test('a position above the head waits', ['EPOCH-6', 'TIME-16'], async (t) => {
    const { welcome } = await t.wire().open();
    const wire = t.wire();
    const before = Date.now();
    const end = await wire.refused({ logEpoch: welcome.logEpoch, position: welcome.position + 1_000_000 });
    t.equal(end.code, 4004, 'the code');
    t.ok(Date.now() - before > 4_000, `after ${Date.now() - before} ms`);
  }, { phase: 'slow' });

  test('a from above the head waits', ['EPOCH-6'], async (t) => {
    const { welcome } = await t.wire().open();
    const wire = t.wire();
    const rooms = [{ room: t.room(), from: welcome.position + 1_000_000 }];
    t.equal((await wire.refused({ logEpoch: welcome.logEpoch, position: welcome.position, rooms })).code, 4004, 'the code');
  }, { phase: 'slow' });

  test('a position that the head reaches in time is served', ['EPOCH-6'], async (t) => {
    const writer = await t.wire().open();
    const wire = t.wire();
    const link = await wire.dial();
    const position = writer.welcome.position + 3;
    link.hello(wire.hello({ logEpoch: writer.welcome.logEpoch, position }));
    await writer.sync();
    await writer.settle(Array.from({ length: 10 }, () => ({ type: 't', receiver: t.room() })));
    await link.until(() => link.welcome, 'welcome');
    t.equal(link.welcome.position, position, 'position');
  }, { phase: 'alone' });

  test('1,000 producers of an identity', ['LIM-19', 'ENG-22', 'CODE-1001'], async (t) => {
    const token = `user:${t.unique('many')}`;
    let made = 0;
    let end = null;
    while (!end && made < 1_100) {
      const wire = t.wire(token);
      const link = await wire.dial();
      link.hello(wire.hello());
      await link.until(() => link.welcome || link.closed, 'an answer', { evenClosed: true });
      if (link.welcome) made += 1;
      else end = link.closed;
      link.cut();
    }
    t.equal([made, end?.code], [1_000, 1013], 'records in use, and the answer to the next');
    // Others are not touched by that.
    await t.wire().open();
  }, { phase: 'alone', limit: 25_000 });

  test('an encoded room is the same as its plain spelling', ['FRM-10'], async (t) => {
    const room = `café/${t.room()} (1)!'*~🦀`;
    const link = await t.wire().open();
    t.ok(await link.join(room), `join ${spell(room)} was denied`);
    await link.settle([{ type: 't', receiver: room }]);
    await link.until(() => link.of(room).length === 1, 'the message of that room');
  });
}
