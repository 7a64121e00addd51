// A TCP proxy that breaks connections the way networks do. It knows nothing of WebSocket, so the same faults hit
// every client alike.
//
//   reset     the connection ends with a RST, both ways, what was under way is gone
//   down/up   nothing listens any more and what was open is reset / listening again at the same port
//   silence   the connection stays up, bytes are taken and go nowhere (a NAT entry that expired)
//   half-open as silence, but one way only: what one end says arrives, what the other says does not
//   stall     as silence, but bytes are not even taken: the sender's kernel buffer fills up
//   delay, bytesPerSecond   each way
import { EventEmitter } from 'node:events';
import net from 'node:net';

// Above this much waiting in one direction the source is no longer read, so that a slow link pushes back.
const HIGH_WATER_BYTES = 256 * 1024;
// What a link without a rate may have on its way: the product of its delay and of no bandwidth that loopback has.
const IN_FLIGHT_BYTES_MAX = 16 * 1024 * 1024;
// So much arrives at once on a link with a rate, or one packet, if that is more: a read of 64 KiB whose first byte came only with
// its last would be a silence of a second at 50 kB/s, which no link has that is up.
const SLICE_MS = 10;
const PACKET_BYTES = 1460;
const WAYS = ['up', 'down'];

/**
 * Emits `accept` (link) before anything has passed, `open` (link) when a client's connection has reached the target and `close` (link)
 * when it is gone. A link emits `read` (way, chunk) for all that an end has written, also where it is passed on to nobody, and
 * `traffic` (direction, length, chunk) for what it has passed on.
 */
export class Proxy extends EventEmitter {
  #server = null;
  #port;
  #target;
  #nextId = 1;
  #muted = null;

  /** Connections that are open now, oldest first. */
  links = new Set();
  /** Connections that were accepted so far. */
  accepted = 0;

  constructor({ targetPort, targetHost = '127.0.0.1', port = 0, delay = 0, bytesPerSecond = Infinity }) {
    super();
    this.#target = { host: targetHost, port: targetPort };
    this.#port = port;
    this.delay = delay;
    this.bytesPerSecond = bytesPerSecond;
  }

  get port() {
    return this.#port;
  }

  get url() {
    return `ws://127.0.0.1:${this.#port}`;
  }

  get isUp() {
    return this.#server !== null;
  }

  /** Listens, at the same port after a `down()`. */
  async up() {
    if (this.#server) return this;
    const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#accept(socket));
    await new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.#port, '127.0.0.1', resolve);
    });
    this.#port = server.address().port;
    this.#server = server;
    return this;
  }

  /** Refuses connections and resets those that are open. Resolves when the port is free. */
  async down() {
    const server = this.#server;
    if (!server) return;
    this.#server = null;
    const closed = new Promise((resolve) => server.close(resolve));
    this.resetAll();
    await closed;
  }

  /** Resets every open connection; returns how many there were. */
  resetAll() {
    const links = [...this.links];
    for (const link of links) link.reset();
    return links.length;
  }

  /**
   * Every connection, open or yet to come, stays up and carries nothing more, in both `ways` or in one (`up` is towards the
   * target). With `stall` its bytes are not even read.
   */
  silence({ stall = false, ways = WAYS } = {}) {
    this.#muted = { stall, ways };
    for (const link of this.links) link.silence(this.#muted);
  }

  /** New connections work again. Silenced ones stay silent: what was swallowed left a hole in the byte stream. */
  unsilence() {
    this.#muted = null;
  }

  /** The newest open connection. */
  get newest() {
    return [...this.links].at(-1);
  }

  async close() {
    await this.down();
    this.removeAllListeners();
  }

  #accept(client) {
    this.accepted += 1;
    const link = new Link(this, this.#nextId++, client, net.connect({ ...this.#target, noDelay: true, allowHalfOpen: true }));
    this.links.add(link);
    this.emit('accept', link);
    if (this.#muted) link.silence(this.#muted);
  }
}

/** One proxied connection. `up` and `down` count bytes that were passed on, towards the target and back. */
class Link extends EventEmitter {
  up = 0;
  down = 0;
  /** The ways in which nothing is passed on any more. */
  silenced = new Set();
  open = false;
  #proxy;
  #client;
  #target;
  #gone = false;

  constructor(proxy, id, client, target) {
    super();
    this.id = id;
    this.#proxy = proxy;
    this.#client = client;
    this.#target = target;
    // Either side's error ends both with a reset: a refused target must not look like a polite end.
    client.on('error', () => this.reset());
    target.on('error', () => this.reset());
    client.on('close', () => this.#ended());
    target.on('close', () => this.#ended());
    target.once('connect', () => {
      this.open = true;
      proxy.emit('open', this);
    });
    this.#pump(client, target, 'up');
    this.#pump(target, client, 'down');
  }

  reset() {
    reset(this.#client);
    reset(this.#target);
    this.#ended();
  }

  silence({ stall = false, ways = WAYS } = {}) {
    for (const way of ways) {
      this.silenced.add(way);
      if (stall) (way === 'up' ? this.#client : this.#target).pause();
    }
  }

  #ended() {
    if (this.#gone) return;
    // The far end of a silenced link never learns that the client left; here its half is simply dropped.
    if (this.silenced.has('up') && this.#client.destroyed) this.#target.destroy();
    if (!this.#client.destroyed || !this.#target.destroyed) return;
    this.#gone = true;
    this.#proxy.links.delete(this);
    this.#proxy.emit('close', this);
  }

  #pump(source, sink, direction) {
    const queue = [];
    let queuedBytes = 0;
    let timer = null;
    let lineFree = 0;
    let blocked = false;

    const resume = () => {
      if (!this.silenced.has(direction) && !blocked && queuedBytes <= roomOf(this.#proxy)) source.resume();
    };
    const pass = (chunk) => {
      if (this.silenced.has(direction) || sink.destroyed) return;
      if (chunk === null) {
        sink.end();
        this.emit('end', direction);
        return;
      }
      this[direction] += chunk.length;
      if (!sink.write(chunk) && !blocked) {
        blocked = true;
        source.pause();
        sink.once('drain', () => {
          blocked = false;
          resume();
        });
      }
      this.emit('traffic', direction, chunk.length, chunk);
    };
    const run = () => {
      timer = null;
      const now = performance.now();
      while (queue.length && queue[0].due <= now) {
        const { chunk } = queue.shift();
        queuedBytes -= chunk?.length ?? 0;
        pass(chunk);
      }
      if (queue.length) timer = setTimeout(run, Math.max(0, queue[0].due - performance.now()));
      resume();
    };
    const push = (chunk) => {
      if (this.silenced.has(direction)) return;
      const { delay, bytesPerSecond } = this.#proxy;
      if (!delay && bytesPerSecond === Infinity && !queue.length) {
        pass(chunk);
        return;
      }
      const now = performance.now();
      lineFree = Math.max(now, lineFree);
      for (const slice of slices(chunk, bytesPerSecond)) {
        lineFree += ((slice?.length ?? 0) / bytesPerSecond) * 1000;
        queue.push({ chunk: slice, due: lineFree + delay });
      }
      queuedBytes += chunk?.length ?? 0;
      if (queuedBytes > roomOf(this.#proxy)) source.pause();
      timer ??= setTimeout(run, Math.max(0, queue[0].due - now));
    };
    source.on('data', (chunk) => {
      this.emit('read', direction, chunk);
      push(chunk);
    });
    // `null` stands for the end of the stream, so that the end cannot overtake what is delayed.
    source.on('end', () => push(null));
  }
}

/** What arrives at once of what was read at once. */
function slices(chunk, bytesPerSecond) {
  const most = Math.max(PACKET_BYTES, (bytesPerSecond * SLICE_MS) / 1000);
  if (!chunk || chunk.length <= most) return [chunk];
  return Array.from({ length: Math.ceil(chunk.length / most) }, (_, n) => chunk.subarray(Math.floor(n * most), Math.floor((n + 1) * most)));
}

/** What a link holds: the buffer in front of it, and what is on its way, which is no buffer's. */
function roomOf({ delay, bytesPerSecond }) {
  return HIGH_WATER_BYTES + Math.min(IN_FLIGHT_BYTES_MAX, (bytesPerSecond * delay) / 1000 || 0);
}

/**
 * libuv refuses to reset a socket whose shutdown is under way; Node then loses the handle and spins for ever when the
 * process ends. Such a socket has said goodbye already.
 */
function reset(socket) {
  if (socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}

/** Starts a proxy in front of a port of this machine. */
export function startProxy(options) {
  return new Proxy(options).up();
}
