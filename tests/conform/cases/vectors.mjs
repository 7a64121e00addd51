// The shared data of tests/vectors: what an end makes of octets, here as a server shows it.
import { readFileSync } from 'node:fs';

const load = (path) => JSON.parse(readFileSync(new URL(`../../vectors/${path}`, import.meta.url), 'utf8'));

/** Octets as tests/vectors/frames/README.md spells them. */
function octets(spelled) {
  const part = (one) => {
    if (typeof one === 'string') return Buffer.from(one);
    return one.hex === undefined ? Buffer.from(one.repeat).toString().repeat(one.times) : Buffer.from(one.hex, 'hex');
  };
  return Buffer.concat([spelled].flat().map((one) => Buffer.from(part(one))));
}

export default function (test) {
  // A text frame may hold octets that are no UTF-8: then it is the peer's WebSocket that may look first, and say 1007.
  const write = (link, form, data) => link.socket.send(data, { binary: form === 'binary' });
  const accepts = (code, data) => [code, ...(code === 4002 && Buffer.compare(Buffer.from(data.toString()), data) !== 0 ? [1007] : [])];
  const closesAs = async (t, link, code, data) => {
    await link.closes();
    t.ok(accepts(code, data).includes(link.closed.code), `closed with ${link.closed.code} ${link.closed.reason} instead of ${code}`);
  };

  for (const { name, clauses, from, form, frame, close, message_limit: limit } of load('frames/invalid.json')) {
    if (from !== 'client') continue;
    test(`frame: ${name}`, clauses, async (t) => {
      const data = octets(frame);
      const isHello = data.subarray(0, 5).toString() === 'hello';
      const link = isHello ? await t.wire().dial() : await t.wire().open();
      if (!isHello && (limit ?? 1_048_576) !== link.welcome.limits.message) return; // says nothing of this server
      write(link, form, data);
      await closesAs(t, link, close, data);
    });
  }

  for (const { name, clauses, form, frame } of load('frames/ignored.json')) {
    test(`extension: ${name}`, clauses, async (t) => {
      const link = await t.wire().open();
      write(link, form, octets(frame));
      await link.sync();
    });
  }

  for (const { name, clauses, body, close } of load('bodies/hello.json')) {
    test(`hello: ${name}`, clauses, async (t) => {
      const data = octets(body);
      const link = await t.wire().dial();
      write(link, 'text', Buffer.concat([Buffer.from('hello\n'), data]));
      // What is right about a hello with the token of a stranger: nobody finds a fault before it is refused.
      const anonymous = !close && JSON.parse(data).token === null;
      if (anonymous) await link.until(() => link.frames.length || link.closed, 'an answer', { evenClosed: true });
      else await closesAs(t, link, close ?? 4401, data);
      link.violations.length = 0; // its welcome is read against no hello of ours
    });
  }

  for (const { name, clauses, from, body, close } of load('bodies/auth.json')) {
    if (from !== 'client') continue;
    test(`auth: ${name}`, clauses, async (t) => {
      const data = octets(body);
      const link = await t.wire().open();
      write(link, 'text', Buffer.concat([Buffer.from('auth\n'), data]));
      await closesAs(t, link, close ?? 4401, data);
    });
  }

  for (const { name, clauses, body, messages, close } of load('bodies/arrays.json')) {
    test(`array: ${name}`, clauses, async (t) => {
      const data = octets(body);
      const link = await t.wire().open();
      const header = messages === 'casts' ? 'cast\n' : `send 1 ${messages} 1\n`;
      write(link, 'text', Buffer.concat([Buffer.from(header), data]));
      if (close) await closesAs(t, link, close, data);
      else if (messages === 'casts') await link.sync();
      else {
        link.wire.written = messages;
        await link.until(() => link.acked === Math.min(messages, 256), 'verdicts');
        t.equal(link.refusals.size, link.acked, 'refused: none of them names a receiver');
      }
    });
  }

  for (const { name, clauses, form, element, content_bytes: size, node, flaw, facts, close } of load('bodies/elements.json')) {
    if (flaw === 'line-feed') continue; // on the wire the line ends there
    test(`element: ${name}`, clauses, async (t) => {
      const data = octets(element);
      const link = await t.wire().open();
      const frame = form === 'binary' ? [Buffer.from('send 1 1 1\n'), data, Buffer.from('\n'), Buffer.alloc(size)] : [Buffer.from('send 1 1 1\n['), data, Buffer.from(']')];
      write(link, form, Buffer.concat(frame));
      link.wire.written = 1;
      if (node === 'unreadable') return closesAs(t, link, close, data);
      await link.until(() => link.acked === 1, 'a verdict');
      const wanted = () => {
        if (node !== 'message') return node;
        if (facts.request) return undefined;
        if (facts.receiver === null) return 'no-receiver';
        return facts.receiver.startsWith('_') ? 'forbidden' : undefined;
      };
      t.equal(link.refusals.get(1), wanted(), 'the verdict');
    });
  }

  for (const { name, clauses, form, element, receiver, stamped } of load('bodies/stamps.json')) {
    if (receiver !== undefined) continue; // the hook of this application names others
    test(`stamp: ${name}`, clauses, async (t) => {
      const data = octets(element);
      const { receiver: room } = JSON.parse(data);
      if (typeof room !== 'string') return;
      const link = await t.wire().open({ rooms: [{ room, from: null }] });
      const frame = form === 'binary' ? [Buffer.from('send 1 1 1\n'), data, Buffer.from('\n')] : [Buffer.from('send 1 1 1\n['), data, Buffer.from(']')];
      write(link, form, Buffer.concat(frame));
      link.wire.written = 1;
      const mine = () => link.messages.find(({ envelope }) => envelope.sender === link.welcome.identity);
      await link.until(mine, 'the message, with who has authenticated as its sender');
      const wanted = { ...JSON.parse(octets(stamped)), sender: link.welcome.identity };
      const plain = (envelope) => JSON.stringify(Object.entries({ ...envelope, content: form === 'binary' ? 0 : envelope.content }).sort());
      t.equal(plain(mine().envelope), plain(wanted), 'the message');
      // Numbers that binary64 cannot hold are written as they came.
      for (const [number] of data.toString().matchAll(/\d{17,}(\.\d+)?/g)) t.ok(mine().raw.includes(number), `${number} was written anew`);
    });
  }
}
