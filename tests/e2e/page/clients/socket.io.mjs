import { io } from 'socket.io-client';
import { endMarker, envelope } from './socket-like.mjs';

// Its own protocol needs its own server; the proxy and the faults are the same. Its factor is fixed at 2.
export async function open({ url, delays, on }) {
  const socket = io(url.replace(/^ws/, 'http'), {
    transports: ['websocket'],
    reconnectionDelay: delays.min,
    reconnectionDelayMax: delays.max,
  });
  const write = (message) => socket.emit('message', message);
  const end = endMarker(write);
  socket.on('connect', () => {
    on.open();
    end.opened();
  });
  socket.on('disconnect', (reason) => on.close(reason));
  socket.on('message', (message) => {
    end.seen(message);
    on.message(message);
  });
  return {
    send: (id, n) => write(envelope(id, n)),
    isOpen: () => socket.connected,
    finish: async () => {
      await end.finish();
      socket.close();
    },
    report: () => ({}),
  };
}
