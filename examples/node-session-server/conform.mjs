// The application that tests/conform/README.md asks of a server under test, on server.mjs.
import { parseArgs } from 'node:util';
import { serve } from './server.mjs';

const gates = new Map(); // key → { opened, open }
const counts = new Map();
const outcasts = new Set(); // identity + room
const failedOnce = new Set();

function gate(key) {
  if (!gates.has(key)) {
    let open;
    const opened = new Promise((resolve) => (open = resolve));
    gates.set(key, { opened, open });
  }
  return gates.get(key);
}

async function authenticate(token) {
  if (token === null) return { anonymous: true };
  const [, kind, name, key] = /^([a-z]+):([^:]*):?(.*)$/.exec(token) ?? [];
  const who = { identity: `user_${name}` };
  if (kind === 'user') return who;
  if (kind === 'brief') return { ...who, expires: 1_000 };
  if (kind === 'raw') return { identity: decodeURIComponent(name) };
  if (kind === 'banned') return { identity: '' };
  if (kind === 'fail') throw new Error('asked to fail');
  if (kind === 'slow') return new Promise(() => {});
  if (kind === 'held') return gate(key).opened.then(() => who);
  return null;
}

async function mayJoin(identity, room) {
  if (room.startsWith('denied') || outcasts.has(`${identity} ${room}`)) return false;
  if (room.startsWith('broken')) throw new Error('asked to fail');
  if (room.startsWith('stuck')) return new Promise(() => {});
  if (room.startsWith('held-')) await gate(room).opened;
  const [, since] = /^since-(\d+)-/.exec(room) ?? [];
  return since ? Number(since) : true;
}

async function mayPage(identity, room) {
  return room.startsWith('nohistory') ? false : mayJoin(identity, room);
}

async function onMessage({ type, content }) {
  if (type === 'refuse-me') return { refuse: 'not-today' };
  if (type === 'named') return { receiver: content };
  if (type === 'hold') await gate(content).opened;
  if (type === 'fail') throw new Error('asked to fail');
  if (type === 'fail-once' && failedOnce.size !== failedOnce.add(content).size) throw new Error('asked to fail once');
}

const handlers = {
  echo: (content) => content,
  wait: (key) => gate(key).opened.then(() => key),
  go: (key) => gate(key).open() ?? key,
  boom: () => {
    throw Object.assign(new Error('it failed'), { code: 'boom' });
  },
  long: (octets) => 'a'.repeat(octets),
  count: (key) => counts.set(key, (counts.get(key) ?? 0) + 1).get(key),
  trim: (room) => server.trim(room) ?? room,
  revoke: ([identity, room]) => outcasts.add(`${identity} ${room}`) && room,
  drain: ({ in: inMs, window }) => void server.close({ within: inMs, window }),
};

const { values } = parseArgs({ options: { port: { type: 'string', default: '0' } } });
const server = await serve({
  port: Number(values.port),
  origins: ['https://allowed.example'],
  heartbeat: 5_000,
  requestTimeout: 15_000,
  authenticate,
  mayJoin,
  mayPage,
  onMessage,
  handlers,
});
console.log(server.url);
process.once('SIGTERM', () => process.exit());
