// Servers that do one thing all the time, for figures that are taken beside the peers'.
import { createServer } from 'node:http';
import { Server as SocketIoServer } from 'socket.io';
import { WebSocketServer } from 'ws';

const messageOf = ({ type = 'text', content }) => ({ type, content });
const HEARTBEAT = '{"type":"heartbeat"}';

/**
 * Greets, answers heartbeats (neither without `answers`) and takes everything else without a word, or sends it back with `echo`. Sends each
 * client `content` every `everyMs` if it is to `feed` them, of the `type` text if nothing else is said. `kind` is `ws` or `socket.io`, the latter with all its defaults but for the transport.
 * Whoever asks it for an acknowledgement has one. `heard(message)` is called with each message that arrives.
 */
export function startSteady({ kind, feed, answers = true, echo = false, heard = () => {} }) {
  return kind === 'socket.io' ? startSocketIo({ feed, heard }) : startWs({ feed, answers, echo, heard });
}

async function startWs({ feed, answers, echo, heard }) {
  const wss = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  wss.on('connection', (ws) => {
    if (answers) ws.send('{"type":"hello"}');
    ws.on('message', (data) => {
      const text = `${data}`;
      if (text === HEARTBEAT) return answers && ws.send(HEARTBEAT);
      heard(JSON.parse(text));
      if (echo) ws.send(text);
    });
  });
  await new Promise((resolve) => wss.once('listening', resolve));
  const timer = feed && setInterval(() => wss.clients.forEach((ws) => ws.send(JSON.stringify(messageOf(feed)))), feed.everyMs);
  return {
    port: wss.address().port,
    path: '',
    close() {
      clearInterval(timer);
      wss.clients.forEach((ws) => ws.terminate());
      return new Promise((resolve) => wss.close(resolve));
    },
  };
}

async function startSocketIo({ feed, heard }) {
  const http = createServer();
  const io = new SocketIoServer(http, { transports: ['websocket'], serveClient: false });
  io.on('connection', (socket) => {
    socket.on('message', heard);
    socket.onAny((event, ...args) => typeof args.at(-1) === 'function' && args.at(-1)('answered'));
  });
  await new Promise((resolve) => http.listen(0, '127.0.0.1', resolve));
  const timer = feed && setInterval(() => io.emit('message', messageOf(feed)), feed.everyMs);
  return {
    port: http.address().port,
    path: '',
    close() {
      clearInterval(timer);
      return new Promise((resolve) => {
        http.closeAllConnections();
        io.close(resolve);
      });
    },
  };
}
