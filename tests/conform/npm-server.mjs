// The application that README.md asks of a server under test, on the built package's `everwire/server`.
import { parseArgs } from 'node:util';
import { serve } from '../../pkg/server.js';

const gates = new Map(); // key → { opened, open }
const counts = new Map();
const outcasts = new Set(); // identity + room
const failedOnce = new Set();
const never = () => new Promise(() => {});

function gate(key) {
  if (!gates.has(key)) {
    const { promise: opened, resolve: open } = Promise.withResolvers?.() ?? withResolvers();
    gates.set(key, { opened, open });
  }
  return gates.get(key);
}

function withResolvers() {
  let resolve;
  const promise = new Promise((settle) => (resolve = settle));
  return { promise, resolve };
}

function fails() {
  throw new Error('asked to fail');
}

function authenticate(token) {
  if (token === null) return { anonymous: true };
  const [, kind, name, key] = /^([a-z]+):([^:]*):?(.*)$/.exec(token) ?? [];
  const who = { identity: `user_${name}` };
  switch (kind) {
    case 'user': return who;
    case 'brief': return { ...who, expires: 1_000 };
    case 'raw': return { identity: decodeURIComponent(name) };
    case 'banned': return { forbidden: true };
    case 'fail': return fails();
    case 'slow': return never();
    case 'held': return gate(key).opened.then(() => who);
    default: return null;
  }
}

async function authorize({ identity, room, access }) {
  if (access === 'page' && room.startsWith('nohistory')) return false;
  if (room.startsWith('denied') || outcasts.has(`${identity} ${room}`)) return false;
  if (room.startsWith('broken')) fails();
  if (room.startsWith('stuck')) await never();
  if (room.startsWith('held-')) await gate(room).opened;
  const [, since] = /^since-(\d+)-/.exec(room) ?? [];
  return since ? { since: Number(since) } : true;
}

function onMessage({ type, content }) {
  if (type === 'refuse-me') return { refuse: 'not-today' };
  if (type === 'named') return { receiver: content };
  if (type === 'hold') return gate(content).opened.then(() => {});
  if (type === 'fail') fails();
  if (type === 'fail-once' && !failedOnce.has(content)) {
    failedOnce.add(content);
    fails();
  }
}

const handlers = {
  echo: (content) => content,
  wait: (key) => gate(key).opened.then(() => key),
  go: (key) => {
    gate(key).open();
    return key;
  },
  boom: () => {
    throw Object.assign(new Error('it failed'), { code: 'boom' });
  },
  long: (octets) => 'a'.repeat(octets),
  count: (content, { bytes }) => {
    const key = content ?? Buffer.from(bytes).toString();
    counts.set(key, (counts.get(key) ?? 0) + 1);
    return counts.get(key);
  },
  trim: (room) => {
    server.trim(room);
    return room;
  },
  revoke: ([identity, room]) => {
    outcasts.add(`${identity} ${room}`);
    return room;
  },
  drain: ({ in: leaveIn, window }) => void server.drain({ leaveIn, window }).then(() => process.exit()),
};

const { values } = parseArgs({ options: { port: { type: 'string', default: '0' }, limits: { type: 'boolean' } } });
const server = await serve({
  port: Number(values.port),
  origins: ['https://allowed.example'],
  heartbeat: 5_000,
  handlerTimeout: 15_000,
  // All of the suite comes from one address, at once; with --limits they are what they are by default.
  ...(!values.limits && { connectsPerSecond: 10_000, maxGreetingPerAddress: 10_000 }),
  authenticate,
  authorize,
  onMessage,
  handlers,
});
console.log(server.url);
process.once('SIGTERM', () => process.exit());
