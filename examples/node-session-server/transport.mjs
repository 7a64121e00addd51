// One WebSocket: frames in and out, signs of life, and its end (docs/PROTOCOL.md §13, §17, NODE-14).
import { Fault, HELLO, SMALL, must, parse } from './frames.mjs';

export class Transport {
  open = false; // from `welcome` to the end
  answers = []; // `page` and `reply` frames that wait for the transport
  sent = 0; // octets
  confirmed = 0; // of those, what was sent when the last ping that has been answered was
  waiting = 0; // octets other than pushes, pages and replies that wait for the transport
  frames = 0; // read since the last tick
  pings = 0;

  constructor(server, ws) {
    Object.assign(this, { server, ws, options: server.options, engine: server.engine, socket: ws._socket });
    this.opened = this.heard = this.taking = Date.now();
    this.before = this.read = this.socket.bytesRead;
    ws.on('error', () => {}); // `close` follows
    ws.on('close', () => this.gone());
    ws.on('message', (data, binary) => this.guard(() => this.receive(data, binary)));
    // [SEC-9]: twice, for what fragments add.
    this.socket.on('data', () => this.greeted || this.socket.bytesRead - this.before < 2 * HELLO || this.end(1009));
  }

  /** Work of this link: what goes wrong ends it. */
  async guard(work) {
    try {
      await (this.ended || work());
    } catch (error) {
      if (error instanceof Fault) return this.end(error.code, error.message);
      console.error(error);
      this.end(1011);
    }
  }

  end(code, reason = '') {
    if (this.ended) return;
    this.gone();
    this.ws.resume(); // [CLOSE-11]
    this.ws.close(code, reason);
    if (code === 4003 || code === 4007) setImmediate(() => this.ws.terminate());
  }

  gone() {
    if (this.ended) return;
    this.ended = true;
    this.server.links.delete(this);
    this.left();
  }

  receive(data, binary) {
    if (this.finishing) return;
    const greeting = !this.greeted;
    must(data.length <= (greeting ? HELLO : this.server.frameLimit), 'ERR-5', 1009);
    must(!this.more || (data.length > SMALL && data.length <= this.more), 'ERR-25');
    this.more = 0;
    this.frames += 1;
    this.breathe();
    if (this.open && data[0] === 0x78 && data[1] === 0x2d) return; // x-
    const { verb, args, body } = parse(data, binary);
    must(greeting === (verb === 'hello'), 'ERR-9');
    must(greeting || this.open || verb === 'bye', 'HELLO-2');
    return this[`on_${verb}`](...args, body, binary);
  }

  write(data, { counts = true, done } = {}) {
    const size = Buffer.byteLength(data);
    if (this.open && size > SMALL) this.ws.send(`more ${size}`);
    this.sent += size;
    if (counts) this.waiting += size;
    this.ws.send(data, () => {
      if (counts) this.waiting -= size;
      done?.();
      this.breathe();
    });
    this.breathe();
  }

  /** A `page` or `reply` frame: one at a time, while little else waits. */
  answer(data, done) {
    this.answers.push([data, done]);
    this.breathe();
  }

  /** Reads, unless too much waits or too much comes ([NODE-14], [NODE-9]); begins the next page or reply. */
  breathe() {
    if (this.ended) return;
    const full = this.waiting > 1_048_576 || this.frames > 500;
    if (full && !this.ws.isPaused) this.ws.pause();
    if (!full && this.ws.isPaused) this.ws.resume();
    if (this.answering || !this.answers.length || this.waiting > 65_536) return;
    const [data, done] = this.answers.shift();
    this.answering = true;
    const flushed = () => {
      this.answering = false;
      done?.();
    };
    this.write(data, { counts: false, done: flushed });
  }

  on_ping(x) {
    this.asked = x;
    if (!this.ponging) this.pong();
  }

  /** One at a time: a pong answers all earlier pings. */
  pong() {
    const x = this.asked;
    this.ponging = true;
    const flushed = () => {
      this.ponging = false;
      if (this.asked !== x) this.pong();
    };
    this.write(`pong ${x}`, { done: flushed });
  }

  on_pong(x) {
    if (!this.probe || x !== this.pings) return;
    this.confirmed = this.probe.sent;
    this.probe = null;
  }

  on_more(octets) {
    must(octets > SMALL, 'LIVE-14');
    this.more = Math.min(octets, this.server.frameLimit);
  }

  on_vis() {}

  tick(now) {
    if (this.socket.bytesRead !== this.read || this.ws.isPaused) this.heard = now;
    this.read = this.socket.bytesRead;
    this.frames = 0;
    this.breathe();
    if (!this.greeted) must(now < this.opened + 10_000 + Math.min(110_000, this.read - this.before), 'HELLO-12', 4001);
    if (!this.open) return;
    const { bytesWritten, writeQueueSize } = this.socket._handle;
    const taken = bytesWritten - writeQueueSize;
    if (!writeQueueSize || taken - this.taken >= 4_096) Object.assign(this, { taken, taking: now });
    must(now - this.taking < 60_000, 'CODE-4007', 4007);
    const patience = 20_000 + (this.sent - this.confirmed + this.more) / 4; // 4,000 octets/s
    const late = this.probe ? now - Math.max(this.heard, this.probe.at) - patience : 0;
    const again = late > 1_000 && !this.probe.again; // this end slept, [LIVE-11]
    must(late <= 0 || again, 'LIVE-4', 4003);
    if (again || (!this.probe && now - this.heard >= this.options.heartbeat)) {
      this.write(`ping ${(this.pings += 1)}`);
      this.probe = { at: now, sent: this.sent, again };
    }
  }
}
