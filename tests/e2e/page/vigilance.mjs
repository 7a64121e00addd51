// Connections side by side in one page, each idle or busy, for what it costs to keep them watched. Each client by its own
// interface and with its own defaults: what is counted outside is what a user would pay.
import { io } from 'socket.io-client';

const CLIENTS = {
  async everwire(url) {
    const { connect } = await import('everwire');
    return everwire(connect(url, { expectReply: true }));
  },
  async 'everwire/exactly-once'(url) {
    const { connect } = await import('everwire/exactly-once');
    const wire = connect(url);
    const room = wire.join('feed');
    return everwire(wire, room, room.joined);
  },
  async 'socket.io'(url) {
    const socket = io(url.replace(/^ws/, 'http'), { transports: ['websocket'] });
    const log = { opens: 0, received: 0 };
    socket.on('connect', () => (log.opens += 1));
    socket.on('message', () => (log.received += 1));
    await new Promise((resolve) => socket.once('connect', resolve));
    return { log, send: (content) => socket.emit('message', { type: 'text', content }), close: () => socket.close() };
  },
};

async function everwire(wire, source = wire, ready) {
  const log = { opens: 0, received: 0 };
  wire.addEventListener('open', () => (log.opens += 1));
  source.on('text', () => (log.received += 1));
  await new Promise((resolve) => wire.addEventListener('open', resolve, { once: true }));
  await ready;
  return { log, send: (content) => void wire.send('text', content, { to: 'nobody' }), close: () => wire.close({ timeout: 0 }) };
}

/** Resolves when all of `wires`, `{ client, url, busy }`, are open. Those that are busy send `content` every `everyMs` from then on. */
export async function start({ wires, content, everyMs }) {
  const open = await Promise.all(wires.map(({ client, url }) => CLIENTS[client](url)));
  const busy = open.filter((_, at) => wires[at].busy);
  const timer = setInterval(() => busy.forEach(({ send }) => send(content)), everyMs);
  return {
    report: () => open.map(({ log }) => log),
    async close() {
      clearInterval(timer);
      await Promise.all(open.map(({ close }) => close()));
    },
  };
}
