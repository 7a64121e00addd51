// What most pages do by hand, with the interface of `exactly-once.mjs`: a socket, a heartbeat, a new socket 250 ms after a loss, and
// at once when the page is looked at or online again. It does not send again, and whoever dials at once does not close what was
// there before, nor its heartbeat.
const RETRY_MS = 250;
const BEAT_MS = 500;

let me;
let url;
let socket;
let stopped = false;
let ended = false;
const received = [];
const fates = [];

export async function start(options) {
  ({ name: me, url } = options);
  dial();
  document.addEventListener('visibilitychange', () => document.visibilityState === 'visible' && dial());
  window.addEventListener('online', dial);
  await new Promise((resolve) => socket.addEventListener('open', resolve, { once: true }));
}

function dial() {
  const one = (socket = new WebSocket(url));
  one.binaryType = 'arraybuffer';
  const beat = setInterval(() => one.readyState === WebSocket.OPEN && one.send('{"type":"heartbeat"}'), BEAT_MS);
  one.onmessage = ({ data }) => {
    const { type, content } = JSON.parse(typeof data === 'string' ? data : new TextDecoder().decode(data));
    if (type === 'text') received.push([content.from, content.at]);
    if (type === 'end') window.tell({ what: 'end', from: content.from });
  };
  one.onclose = () => {
    clearInterval(beat);
    if (!ended && one === socket) setTimeout(dial, RETRY_MS);
  };
}

function say(type, content) {
  try {
    socket.send(JSON.stringify({ type, content }));
  } catch {
    // It is still connecting: nobody queues.
  }
}

export function send({ everyMs }) {
  const all = async () => {
    for (let at = 0; !stopped; at++) {
      fates.push({ at, settled: 0, rejected: null });
      say('text', { from: me, at });
      await new Promise((resolve) => setTimeout(resolve, everyMs));
    }
    window.tell({ what: 'decided' });
  };
  void all();
}

export function stop() {
  stopped = true;
}

/** Nobody tells it when its last word has arrived, so it says it on every socket until the page goes. */
export async function finish() {
  setInterval(() => say('end', { from: me }), RETRY_MS);
}

export const report = () => ({ received, fates, told: [], queued: 0 });

export function close() {
  ended = true;
  socket.close();
}
