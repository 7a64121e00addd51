// The entry `everwire/server`: the session machine and its log as WebAssembly, on `ws`.
import createGlue from 'everwire-glue';
import { randomFillSync } from 'node:crypto';
import { STATUS_CODES, createServer, type IncomingMessage, type Server as HttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import type * as Public from '../../types/server.js';
import { compile } from '../inlined.ts';
import { bag, count, fail, typed, within } from '../options.ts';
import { Connection } from './connection.ts';
import { COUNTS, type Core, type Glue, type Order } from './contract.ts';
import { Application } from './hooks.ts';
import { checkServer, type ServerSettings } from './options.ts';

const PROTOCOL = 'everwire.v1';
const HELLO_BYTES_MAX = 262_144;
/** What a frame may hold beside its messages. LIM-3 */
const FRAME_BYTES_AROUND = 98_304;
const TIMER_MAX_MS = 2 ** 31 - 1;

let compiled: WebAssembly.Module | undefined;

export function attach(http: HttpServer, options: Public.ServerOptions): Public.Server {
  return new Server(http, checkServer(options)) as Public.Server;
}

export async function serve(options: Public.ServeOptions): Promise<Public.Server> {
  const { port = 0, host = '127.0.0.1', ...rest } = bag('options', options);
  count('port', port, 0, 0, 65_535);
  typed('host', host, 'string');
  const settings = checkServer(rest as Public.ServerOptions);
  const http = createServer((request, response) => {
    const status = request.url === '/healthz' ? 200 : 426;
    response.writeHead(status, { 'content-type': 'text/plain', ...(status === 426 && { upgrade: 'websocket' }) });
    response.end(status === 200 ? 'ok\n' : 'this is the address of a WebSocket\n');
  });
  const server = new Server(http, settings);
  await new Promise<void>((resolve, reject) => {
    http.once('error', reject);
    http.listen(port, host, () => resolve());
  });
  server.own(http, host);
  return server as Public.Server;
}

class Server extends EventTarget {
  url: string | undefined;
  #core: Core;
  #settings: ServerSettings;
  #application: Application;
  #wss: WebSocketServer;
  #http: HttpServer;
  #owns = false;
  #connections = new Map<number, Connection>();
  #links = 0;
  #entered = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #due = Infinity;
  #dead = false;
  #idle: (() => void)[] = [];
  #upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => this.#connect(request, socket, head);

  constructor(http: HttpServer, settings: ServerSettings) {
    super();
    this.#settings = settings;
    const glue = createGlue() as unknown as Glue;
    glue.initSync({ module: (compiled ??= compile()) });
    const { numbers, origins, identities, hooks } = settings;
    try {
      this.#core = new glue.Server(randomFillSync(new Uint8Array(48)), numbers, origins, identities, hooks.onMessage !== undefined, now());
    } catch (origin) {
      if (typeof origin !== 'string') throw origin;
      throw new TypeError(`everwire: option origins has ${JSON.stringify(origin)}, which is no origin: write it like https://example.com, or *`);
    }
    this.#application = new Application(hooks, this.#enter, (error) => this.#report(error));
    this.#wss = new WebSocketServer({
      noServer: true,
      maxPayload: Math.max(HELLO_BYTES_MAX, settings.maxMessageBytes + FRAME_BYTES_AROUND),
      perMessageDeflate: false,
      // The core looks, and says 4002.
      skipUTF8Validation: true,
      handleProtocols: () => PROTOCOL,
      // CLOSE-11
      ...({ closeTimeout: 10_000 } as object),
    });
    this.#http = http;
    http.on('upgrade', this.#upgrade);
  }

  /** The HTTP server is this server's own, and ends with it. */
  own(http: HttpServer, host: string): void {
    const { port } = http.address() as AddressInfo;
    this.#owns = true;
    this.url = `ws://${host.includes(':') ? `[${host}]` : host}:${port}${this.#settings.path}`;
  }

  get counts(): Public.Counts {
    const counts = this.#core.counts();
    return Object.fromEntries(COUNTS.map((name, at) => [name, counts[at]])) as unknown as Public.Counts;
  }

  post(receiver: string, type: string, content: unknown): void {
    // The core takes texts alone, and dies of anything else.
    text('receiver', receiver);
    text('type', type);
    const envelope = JSON.stringify({ type, receiver, content });
    let taken = false;
    this.#enter((core, now) => (taken = core.post(receiver, envelope, now)));
    if (!taken) throw new TypeError(`everwire: ${JSON.stringify(receiver)} is no room and no identity`);
  }

  revoke(identity: string, room: string): void {
    text('identity', identity);
    text('room', room);
    this.#enter((core, now) => core.revoke(identity, room, now));
  }

  expel(identity: string, code = 4403, reason = ''): void {
    text('identity', identity);
    text('reason', reason);
    count('code', code, 4403, 1000, 4999);
    this.#enter((core, now) => core.expel(identity, code, reason, now));
  }

  trim(subject: string): void {
    text('subject', subject);
    this.#enter((core, now) => core.trim(subject, now));
  }

  async drain(options: Public.DrainOptions = {}): Promise<void> {
    const { leaveIn, window, reason = 'shutdown' } = bag('options', options);
    const within_ = within('leaveIn', leaveIn, 5_000, 0, 600_000);
    const over = within('window', window, this.#settings.window, 1_000, 600_000);
    const idle = new Promise<void>((resolve) => this.#idle.push(resolve));
    this.#enter((core, now) => core.drain(within_, over, String(reason), now));
    await idle;
    this.#http.off('upgrade', this.#upgrade);
    clearTimeout(this.#timer);
    if (this.#owns) await new Promise<void>((resolve) => this.#http.close(() => resolve()));
  }

  close(options: Omit<Public.DrainOptions, 'leaveIn'> = {}): Promise<void> {
    return this.drain({ ...options, leaveIn: 0 });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #connect(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const { path, address } = this.#settings;
    // Somebody else's, if there is somebody else.
    if (new URL(request.url ?? '/', 'http://localhost').pathname !== path) return this.#owns ? refuse(socket, 404) : undefined;
    if (this.#dead) return refuse(socket, 503);
    const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim());
    if (!offered.includes(PROTOCOL)) return refuse(socket, 400);
    if (!this.#core.admits(request.headers.origin)) return refuse(socket, 403);
    const link = this.#links++;
    const from = address(request);
    const refused = this.#core.enter(link, from, now());
    if (refused === 1) return refuse(socket, 503, 5);
    if (refused >= 2) return refuse(socket, 429, refused === 2 ? 5 : Math.ceil((refused - 3) / 1000) || 1);
    const lost = () => this.#core.left(link);
    socket.once('close', lost);
    this.#wss.handleUpgrade(request, socket, head, (ws) => {
      socket.off('close', lost);
      // Only the core's links are in the map: an order for one that has gone finds nobody.
      const enter = (input: (core: Core, now: number) => void) => this.#enter(input);
      const connection = new Connection(link, ws, request, from, this.#core, enter);
      ws.once('close', () => {
        this.#connections.delete(link);
        this.#settled();
      });
      this.#connections.set(link, connection);
      this.#enter(() => {});
    });
  }

  /** The only way into the core: what follows is carried out before anything else comes in. */
  #enter = (input: (core: Core, now: number) => void): void => {
    if (this.#dead) return;
    try {
      input(this.#core, now());
      if (this.#entered) return;
      this.#entered = true;
      try {
        for (let order = this.#core.next(); order; order = this.#core.next()) this.#order(order);
      } finally {
        this.#entered = false;
      }
      this.#arm();
      this.#settled();
    } catch (error) {
      this.#die(error);
    }
  };

  #order(order: Order): void {
    switch (order[0]) {
      case 0: return this.#connections.get(order[1])?.write(order[3], order[2]);
      case 1: return this.#connections.get(order[1])?.read(order[2]);
      case 2: return this.#connections.get(order[1])?.close(order[2], order[3], order[4]);
      case 3: {
        const [, link, id, token, renewal] = order;
        const connection = this.#connections.get(link);
        return connection && this.#application.authenticate(link, id, token, renewal, connection.address, connection.request);
      }
      case 4: return this.#application.authorise(order[1], order[2], order[3], order[4]);
      case 5: return this.#application.examine(order[1], order[2], order[3], order[4], order[5], order[6], order[7]);
      case 6: return this.#application.run(order[1], order[2], order[3], order[4]);
      case 7: return this.#core.drawn(randomFillSync(new Uint8Array(16)), now());
    }
  }

  #arm(): void {
    const due = this.#core.nextDeadline();
    if (due === this.#due) return;
    clearTimeout(this.#timer);
    this.#due = due;
    if (due === Infinity) return;
    const waits = Math.min(Math.max(0, Math.ceil(due - now())), TIMER_MAX_MS);
    this.#timer = setTimeout(() => {
      this.#due = Infinity;
      this.#enter((core, now) => core.timeout(now));
    }, waits);
    this.#timer.unref();
  }

  #settled(): void {
    if (!this.#idle.length || this.#connections.size || !(this.#dead || this.#core.isIdle())) return;
    for (const idle of this.#idle.splice(0)) idle();
  }

  #report(error: unknown): void {
    this.dispatchEvent(Object.assign(new Event('error'), { error }));
  }

  /** The WebAssembly has trapped: nothing of it can be trusted, and clients find a fresh server, or none. */
  #die(error: unknown): void {
    this.#dead = true;
    clearTimeout(this.#timer);
    for (const connection of this.#connections.values()) connection.terminate();
    this.#report(new Error('the core has died', { cause: error }));
    this.#settled();
  }
}

function text(name: string, value: unknown): asserts value is string {
  if (typeof value !== 'string') fail(name, 'a string', value);
}

function now(): number {
  return performance.timeOrigin + performance.now();
}

function refuse(socket: Duplex, status: number, retryAfter?: number): void {
  const retry = retryAfter ? `Retry-After: ${retryAfter}\r\n` : '';
  socket.on('error', () => {}); // it may have gone
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\n${retry}Content-Length: 0\r\n\r\n`);
}
