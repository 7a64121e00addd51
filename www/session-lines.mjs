// The way to `everwire-server`: a TCP pass-through with a line for each user, which breaks as networks do. Behind the first
// request it knows nothing of HTTP or WebSocket: what it does to a line, a cable or a router could have done.
import { connect } from 'node:net';
import { EVERYBODY, Rooms, SILENT_LINK_LIFE_MS } from './rooms.mjs';

/** Where the server has its WebSocket. */
const PATH = '/ws';

export class Lines {
  #rooms = new Rooms();
  #server;

  /** @param server a `SessionServer` */
  constructor(server) {
    this.#server = server;
  }

  /** Takes over an HTTP upgrade to `/session?room=…&user=…`. Whoever cannot get through is reset, as by a machine that is gone. */
  upgrade(request, socket, head) {
    socket.on('error', () => socket.destroy());
    const asked = Rooms.asked(request);
    const room = asked && this.#rooms.enter(asked.name);
    if (!room || room.refused.has(EVERYBODY) || room.refused.has(asked.user) || this.#server.port === null) {
      if (room) this.#rooms.sweep(room);
      return socket.resetAndDestroy();
    }
    const target = connect({ port: this.#server.port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
    socket.setNoDelay(true);
    target.write(`GET ${PATH} HTTP/1.1\r\n${headerLines(request)}\r\n`);
    target.write(head);
    socket.pipe(target).pipe(socket);

    const line = { socket, target, user: asked.user, silent: false };
    room.links.add(line);
    target.on('error', () => reset(line));
    target.on('close', () => {
      if (!line.silent) socket.destroySoon();
    });
    socket.on('close', () => {
      clearTimeout(line.expiry);
      target.destroy();
      room.links.delete(line);
      this.#rooms.sweep(room);
    });
  }

  /** As `Chat.control`; 'crash' and 'restart' are for the one server of all rooms, and resolve when it is back. */
  async control(action, { room: name, user = EVERYBODY, seconds = 1 }) {
    const lines = this.#rooms.links(name, user);
    switch (action) {
      case 'kill':
        lines.forEach(reset);
        break;
      case 'refuse':
        this.#rooms.refuse(name, user, seconds);
        lines.forEach(reset);
        break;
      case 'silence':
        lines.forEach(silence);
        break;
      case 'crash':
        await this.#server.restart('SIGKILL', seconds);
        break;
      case 'restart':
        await this.#server.restart('SIGTERM', seconds);
        break;
      default:
        return null;
    }
    return lines.length;
  }

  /** Ends everything, for the end of the process. */
  async shutDown() {
    this.#rooms.clear().forEach(reset);
    await this.#server.close();
  }
}

/** Half-open: both ends stay connected, their bytes are taken and go nowhere, as where a router has forgotten the connection. */
function silence(line) {
  const { socket, target } = line;
  line.silent = true;
  socket.unpipe(target).resume();
  target.unpipe(socket).resume();
  socket.once('end', () => reset(line)); // the line was held for this end: a real server might wait for minutes
  line.expiry = setTimeout(() => reset(line), SILENT_LINK_LIFE_MS).unref();
}

function reset({ socket, target }) {
  // A socket that has said goodbye already cannot be reset.
  for (const end of [socket, target]) end.writableEnded ? end.destroy() : end.resetAndDestroy();
}

function headerLines({ rawHeaders }) {
  let lines = '';
  for (let at = 0; at < rawHeaders.length; at += 2) lines += `${rawHeaders[at]}: ${rawHeaders[at + 1]}\r\n`;
  return lines;
}
