// One WebSocket and the core.
import type { IncomingMessage } from 'node:http';
import type { WebSocket } from 'ws';
import type { Core } from './contract.ts';

/** What fragments and control frames may add to a message before it counts as too long. */
const AROUND_BYTES = 16_384;

/** Calls the core, and carries out what follows. */
type Enter = (input: (core: Core, now: number) => void) => void;

export class Connection {
  readonly link: number;
  readonly request: IncomingMessage;
  readonly address: string;
  #ws: WebSocket;
  #enter: Enter;
  /** Octets that have been handed to the network. */
  #taken = 0;
  /** Octets of a message that is not whole. */
  #partial = 0;
  #corked = false;

  constructor(link: number, ws: WebSocket, request: IncomingMessage, address: string, core: Core, enter: Enter) {
    this.link = link;
    this.request = request;
    this.address = address;
    this.#ws = ws;
    this.#enter = enter;
    ws.on('message', (data: Buffer, binary: boolean) => {
      this.#partial = 0;
      enter((core, now) => core.frame(link, binary, data, now));
    });
    ws.on('error', ({ code }: Error & { code?: string }) => {
      // `close` follows every error; only this one says something that the core must know.
      if (code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH') enter((core, now) => core.tooLong(link, now));
    });
    ws.on('close', () => enter((core, now) => core.closed(link, now)));
    request.socket.on('data', (chunk: Buffer) => {
      this.#partial += chunk.length;
      enter((core, now) => core.octets(link, chunk.length, now));
      // SEC-9: `ws` has one limit for all, and a stranger may send no more than a `hello`.
      if (this.#partial > core.messageBytesMax(link) + AROUND_BYTES) enter((core, now) => core.tooLong(link, now));
    });
    enter((core, now) => core.opened(link, now));
  }

  write(octets: Uint8Array, binary: boolean): void {
    const { socket } = this.request;
    if (!this.#corked) {
      // What is written in one turn leaves in one packet.
      this.#corked = true;
      socket.cork();
      process.nextTick(() => {
        this.#corked = false;
        socket.uncork();
      });
    }
    this.#ws.send(octets, { binary, compress: false }, () => {
      this.#taken += octets.length;
      this.#enter((core, now) => core.taken(this.link, this.#taken, now));
    });
  }

  read(on: boolean): void {
    if (on) this.#ws.resume();
    else this.#ws.pause();
  }

  close(code: number, reason: string, lingers: boolean): void {
    // CLOSE-11: what is left unread may turn the close into a reset.
    this.#ws.resume();
    this.#ws.close(code, reason);
    if (!lingers) setImmediate(() => this.#ws.terminate());
  }

  terminate(): void {
    this.#ws.terminate();
  }
}
