// What the peers share that look like a WebSocket: an envelope is a JSON text, open is readyState 1.
export function envelope(id, n, type = 'text') {
  return {
    id,
    type,
    sender: 'page',
    receiver: null,
    content: n,
    timestamp: Date.now(),
    meta: { read: false, delivered: false },
  };
}

const decoder = new TextDecoder();

export function parse(data) {
  return JSON.parse(typeof data === 'string' ? data : decoder.decode(data));
}

/**
 * None of the peers says what became of a message, so the run ends when a marker has come back: what was sent before
 * it on that link has arrived. It is sent anew on every later link.
 */
export function endMarker(send) {
  let ended;
  const done = new Promise((resolve) => (ended = resolve));
  let finishing = false;
  return {
    seen: (message) => message.type === 'end' && ended(),
    opened: () => finishing && send(envelope('end', null, 'end')),
    finish: () => {
      finishing = true;
      send(envelope('end', null, 'end'));
      return done;
    },
  };
}

/** The adapter for whatever has the interface of a WebSocket and reconnects by itself. */
export function adapt(socket, on) {
  socket.binaryType = 'arraybuffer';
  const write = (message) => socket.send(JSON.stringify(message));
  const end = endMarker(write);
  socket.addEventListener('open', () => {
    on.open();
    end.opened();
  });
  socket.addEventListener('close', (event) => on.close(`${event.code}`));
  socket.addEventListener('message', (event) => {
    const message = parse(event.data);
    end.seen(message);
    on.message(message);
  });
  return {
    send: (id, n) => write(envelope(id, n)),
    isOpen: () => socket.readyState === WebSocket.OPEN,
    finish: async () => {
      await end.finish();
      socket.close();
    },
    report: () => ({}),
  };
}
