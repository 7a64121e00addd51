// `everwire-server` alone, driven by raw frames of the protocol, so that no client's work is measured with it: messages stored a
// second, fan-out from one to a thousand, and what an idle connection costs.
//
//   cargo xtask bench                  everything
//   node benches/server.mjs [--json FILE]
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { WebSocket } from 'ws';
import { perSecond, residentBytes, startServer, table } from './harness.mjs';

const BATCH = 250;
const MESSAGES = 200_000;
const READERS = 1_000;
const FANNED = 200;
const IDLE = 5_000;
const WINDOW_BYTES = 1_000_000;

const { values } = parseArgs({ options: { json: { type: 'string' } } });
const hex = () => randomBytes(16).toString('hex');
const envelope = (room) => JSON.stringify({ id: '00000000-0000-00000', type: 'text', receiver: room, content: 'x'.repeat(90), timestamp: 1_790_000_000_000, meta: {} });

/** A client that does as little as the protocol allows. */
class Link {
  n = 0;
  acked = 0;
  credit = 0;
  received = 0;
  octets = 0;
  #look = () => {};

  static async open(url, rooms = []) {
    const link = new Link();
    const socket = (link.socket = new WebSocket(url, ['everwire.v1'], { perMessageDeflate: false }));
    socket.on('message', (data) => link.#take(data));
    socket.on('close', (code, reason) => code !== 1006 && console.error(`closed with ${code} ${reason}`));
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
    const hello = { version: 1, token: null, producer: hex(), successor: null, link: 1, oldest: 1, written: 0, born: null, logEpoch: null, position: null,
      rooms: rooms.map((room) => ({ room, from: null })), pending: [], held: [0, 0], visible: true, features: [] };
    socket.send(`hello\n${JSON.stringify(hello)}`);
    await link.until(() => link.welcome);
    return link;
  }

  #take(data) {
    const end = data.indexOf(10);
    const [verb, ...args] = data.toString('latin1', 0, end < 0 ? data.length : end).split(' ');
    if (verb === 'welcome') {
      this.welcome = JSON.parse(data.toString('utf8', end + 1));
      this.credit = this.welcome.credit;
    } else if (verb === 'ack') {
      this.acked = Number(args[0]);
      this.credit = Math.max(this.credit, Number(args[1]));
    } else if (verb === 'push') {
      this.received += args.length - 2;
      // CRED-9
      this.octets += Math.min(data.length - end - 1, 262_144);
      this.s = args[1];
      if (this.received - (this.told ?? 0) > 2_000 || this.octets - (this.toldOctets ?? 0) > 400_000) this.seen();
    } else if (verb === 'ping') {
      this.socket.send(`pong ${args[0]}`);
    }
    this.#look();
  }

  seen() {
    [this.told, this.toldOctets] = [this.received, this.octets];
    this.socket.send(`seen ${this.s} ${this.received} ${this.octets}`);
  }

  until(condition) {
    return new Promise((resolve) => {
      this.#look = () => condition() && resolve();
      this.#look();
    });
  }

  /** As fast as credit allows, until all are stored. */
  async store(many, message) {
    const body = (count) => `[${Array(count).fill(message).join(',')}]`;
    const whole = body(BATCH);
    for (let left = many; left > 0; ) {
      const count = Math.min(BATCH, left);
      // CRED-6: so many octets may be unsettled, too.
      await this.until(() => this.credit - this.n >= count && (this.n - this.acked + count) * message.length < WINDOW_BYTES);
      const frame = `send ${this.n + 1} ${count} ${this.acked + 1}\n${count === BATCH ? whole : body(count)}`;
      if (frame.length > 16_384) this.socket.send(`more ${frame.length}`);
      this.socket.send(frame);
      this.n += count;
      left -= count;
    }
    await this.until(() => this.acked >= this.n);
  }
}

const rows = [];
for (const durable of [false, true]) {
  const log = durable ? '--data' : 'in memory';
  const server = await startServer({ durable });
  for (const writers of [1, 8]) {
    const links = await Promise.all(Array.from({ length: writers }, () => Link.open(server.url)));
    const began = performance.now();
    await Promise.all(links.map((link, at) => link.store(MESSAGES / writers, envelope(`room-${at}`))));
    const rate = (MESSAGES / (performance.now() - began)) * 1000;
    rows.push({ what: `stored, ${writers} writer${writers > 1 ? 's' : ''}`, log, figure: `${perSecond(rate)} messages/s`, rate });
    links.forEach((link) => link.socket.terminate());
  }
  const readers = [];
  for (let at = 0; at < READERS; at += 50) readers.push(...(await Promise.all(Array.from({ length: 50 }, () => Link.open(server.url, ['plaza'])))));
  const writer = await Link.open(server.url);
  const began = performance.now();
  await Promise.all([writer.store(FANNED, envelope('plaza')), ...readers.map((link) => link.until(() => link.received >= FANNED))]);
  const rate = ((FANNED * READERS) / (performance.now() - began)) * 1000;
  rows.push({ what: `fan-out 1 → ${READERS.toLocaleString('en')}`, log, figure: `${perSecond(rate)} deliveries/s`, rate });
  for (const link of [writer, ...readers]) link.socket.terminate();
  await server.close();

  const fresh = await startServer({ durable });
  const before = await residentBytes(fresh.pid);
  const idle = [];
  for (let at = 0; at < IDLE; at += 50) idle.push(...(await Promise.all(Array.from({ length: 50 }, () => Link.open(fresh.url, ['plaza'])))));
  const each = ((await residentBytes(fresh.pid)) - before) / IDLE;
  rows.push({ what: `idle, ${IDLE.toLocaleString('en')} connections in a room`, log, figure: `${(each / 1024).toFixed(1)} KiB each`, each });
  for (const link of idle) link.socket.terminate();
  await fresh.close();
}
console.log(`\neverwire-server alone; messages of 200 bytes, written ${BATCH} a frame by one Node process\n`);
console.log(table(['what', 'log', 'figure'], rows.map(({ what, log, figure }) => [what, log, figure])));
if (values.json) writeFileSync(values.json, `${JSON.stringify({ rows }, null, 1)}\n`);
process.exit();
