// One client of a page in the background, and how often it has been connected. Each is used as its manual says.
import { io } from 'socket.io-client';
import { start as startWorker } from './workers.mjs';

const BEAT_MS = 30_000;
const RETRY_MS = 1_000;
const BEAT = '{"type":"heartbeat"}';

const clients = {
  /** Writes a message at the end, whose receipt is the server's. */
  async 'exactly-once'(url, note) {
    const { connect } = await import('everwire/exactly-once');
    const wire = connect(url);
    watch(wire, note);
    return async () => (await wire.send('text', 'still here', { to: 'nobody' })).level;
  },
  async 'best-effort'(url, note) {
    const { connect } = await import('everwire');
    const wire = connect(url, { heartbeatInterval: BEAT_MS });
    watch(wire, note);
    return async () => (await wire.send('text', 'still here')).level;
  },
  async worker(url, note) {
    const call = await startWorker('dedicated');
    await call('connect', { entry: 'everwire', url });
    await call('opened', 1);
    note('open');
    return async () => {
      await call('send', { from: 0, count: 1 });
      const [level] = await call('settle');
      const { opens } = await call('report');
      for (let more = 1; more < opens; more++) note('open');
      return level;
    };
  },
  interval: (url, note) => bare(url, note, (beat) => setInterval(beat, BEAT_MS)),
  /** Asks every second whether it is time. */
  tick: (url, note) => bare(url, note, (beat) => {
    let last = Date.now();
    return setInterval(() => {
      if (Date.now() - last < BEAT_MS) return;
      last = Date.now();
      beat();
    }, 1_000);
  }),
  async 'socket.io'(url, note) {
    const socket = io(url.replace(/^ws/, 'http'), { transports: ['websocket'] });
    socket.on('connect', () => note('open'));
    socket.on('disconnect', (reason) => note('close', reason));
    return () => socket.timeout(5_000).emitWithAck('text', 'still here');
  },
};

function watch(wire, note) {
  wire.addEventListener('open', () => note('open'));
  wire.addEventListener('close', ({ cause }) => note('close', cause));
}

/** A bare WebSocket that beats as `start(beat)` has it, and dials again. */
async function bare(url, note, start) {
  let socket;
  const dial = () => {
    const one = (socket = new WebSocket(url));
    let timer;
    one.onopen = () => {
      note('open');
      timer = start(() => one.send(BEAT));
    };
    one.onclose = ({ code }) => {
      clearInterval(timer);
      note('close', String(code));
      setTimeout(dial, RETRY_MS);
    };
  };
  dial();
  return async () => (socket.readyState === WebSocket.OPEN ? 'open' : 'not open');
}

let client;
let seen;

/** Starts one; resolves when it is connected. */
export async function start({ name, url }) {
  seen = { opens: 0, closes: [] };
  await new Promise((resolve, reject) => {
    const note = (what, why) => {
      if (what === 'close') return seen.closes.push(why);
      seen.opens += 1;
      resolve();
    };
    client = clients[name](url, note);
    client.catch(reject);
  });
  client = await client;
}

/** What has become of it, and whether it still works. */
export async function report() {
  const works = await client().catch(String);
  return { ...seen, works };
}
