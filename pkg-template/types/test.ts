// Compiled, never run: what a user may write, and what the compiler must refuse.
import { connect, EverwireError, type Envelope, type Receipt, type State, type Wire } from './index.js';
import { connect as connectOnce, type Wire as OnceWire } from './exactly-once.js';
import init, { connect as connectSlim } from './slim.js';
import { WebSocket as NodeWebSocket } from './ws-like.js';

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function same<A, B>(_: Equal<A, B>): void {}

type Messages = { text: string; image: { url: string; alt: string }; typing: boolean; blob: Uint8Array };
interface AsInterface {
  move: { x: number; y: number };
}

declare const signal: AbortSignal;

const wire = connect<Messages>('wss://example.com/chat', {
  delivery: 'best-effort',
  sender: 'user_123',
  token: async () => 'abc',
  protocols: ['chat'],
  binary: true,
  heartbeatInterval: 0,
  expectReply: 'learn',
  reconnect: { delayMin: 10, maxAttempts: Infinity },
  outbox: { overflow: 'drop-oldest' },
  signal,
  WebSocket: globalThis.WebSocket,
});

// Received content has the declared type, and the envelope's type is the literal.
wire.on('text', (message) => {
  same<typeof message.content, string>(true);
  same<typeof message.type, 'text'>(true);
  same<typeof message.sender, string | null | undefined>(true);
});
const off = wire.on('image', ({ content }) => same<typeof content, { url: string; alt: string }>(true));
same<typeof off, () => void>(true);
wire.on('typing', async ({ content }) => content === true);
wire.on('blob', ({ content }) => same<typeof content, Uint8Array>(true));
wire.on('system', ({ content }) => same<typeof content, unknown>(true));
// @ts-expect-error: not declared
wire.on('nonsense', () => {});
// @ts-expect-error: heartbeats never reach a handler
wire.on('heartbeat', () => {});
// @ts-expect-error: lifecycle events are for addEventListener
wire.on('statechange', () => {});

// Sending is checked by the map.
const receipt: Promise<Receipt> = wire.send('text', 'hello', { to: 'room_456', meta: { urgent: true }, signal, id: 'a' });
void receipt.then(({ level, durable, id }) => {
  same<typeof level, 'written'>(true);
  same<typeof durable, false>(true);
  same<typeof id, string>(true);
});
void wire.send('image', { url: '/a.png', alt: 'a' });
void wire.send('blob', new ArrayBuffer(4));
void wire.send('blob', new DataView(new ArrayBuffer(4)));
void wire.send('file', { name: 'built in, not declared' });
// @ts-expect-error: content has the wrong type
void wire.send('text', 5);
// @ts-expect-error: a field is missing
void wire.send('image', { url: '/a.png' });
// @ts-expect-error: not declared
void wire.send('nonsense', 1);
// @ts-expect-error: belongs to everwire
void wire.send('heartbeat', null);
// @ts-expect-error: unknown option
void wire.send('text', 'a', { too: 'b' });
// @ts-expect-error: a boolean is no buffer
void wire.send('blob', true);
// @ts-expect-error: content is required
void wire.send('text');

// Interfaces do as well as type aliases, and a map may say what a built-in type holds.
const game = connect<AsInterface>(new URL('https://example.com'));
game.on('move', ({ content }) => same<typeof content, { x: number; y: number }>(true));
game.on('text', ({ content }) => same<typeof content, string>(true));
const own = connect<{ text: { markdown: string } }>('/chat');
own.on('text', ({ content }) => same<typeof content, { markdown: string }>(true));
// @ts-expect-error: text was redeclared
void own.send('text', 'plain');

// Without a map: text is a string, the rest is unknown until looked at.
const any = connect('/chat');
same<typeof any, Wire>(true);
any.on('text', ({ content }) => same<typeof content, string>(true));
any.on('whatever', ({ content }) => same<typeof content, unknown>(true));
void any.send('whatever', [1, 2]);
// @ts-expect-error: text is a string
void any.send('text', 1);

// Lifecycle events carry their fields.
wire.addEventListener('statechange', (event) => same<typeof event.state, State>(true));
wire.addEventListener('close', ({ code, willRetry, retryIn }) => {
  same<typeof code, number>(true);
  same<typeof willRetry, boolean>(true);
  same<typeof retryIn, number | null>(true);
});
wire.addEventListener('undelivered', (event) => {
  same<typeof event.reason, 'never-written' | 'in-doubt'>(true);
  same<typeof event.message, Envelope>(true);
  if (event.cause === 'lost') void wire.send('text', String(event.message.content));
  // @ts-expect-error: no such cause
  if (event.cause === 'bored') return;
}, { once: true, signal });
wire.addEventListener('error', ({ error }) => {
  if (error instanceof EverwireError && error.code === 'core-died') return;
  // @ts-expect-error: no such code
  if (error.code === 'oops') return;
});
wire.addEventListener('settled', function (event) {
  same<typeof this, typeof wire>(true);
  same<typeof event.id, string>(true);
});
wire.addEventListener('reconnecting', { handleEvent: ({ attempt, delay }) => attempt + delay });
wire.addEventListener('open', null);
// @ts-expect-error: message types are for on()
wire.addEventListener('text', () => {});
// @ts-expect-error: no such field
wire.addEventListener('open', (event) => event.code);

// What acts on a message while it waits.
void wire.send('text', 'a', { ttl: 5000, key: 'cursor', priority: 255 });
// @ts-expect-error: a string
void wire.send('text', 'a', { key: 5 });
connect('/chat', { outbox: { overflow: 'wait' }, rateLimit: { perSecond: 0.5, burst: 3 }, highWaterBytes: 65_536, logger: console });
// @ts-expect-error: no such policy
connect('/chat', { outbox: { overflow: 'block' } });
// @ts-expect-error: the rate is what it is about
connect('/chat', { rateLimit: { burst: 3 } });
// @ts-expect-error: half a logger
connect('/chat', { logger: { debug() {} } });

// Messages as an iterator, figures, the last events.
async function pulled(): Promise<void> {
  for await (const message of wire.messages('image', { buffer: 10, signal })) same<typeof message.content, { url: string; alt: string }>(true);
  await using rest = wire.messages('text');
  void rest;
}
void pulled;
// @ts-expect-error: not declared
wire.messages('nonsense');
const { roundTrip, reconnects, outbox } = wire.stats();
same<typeof roundTrip, number | null>(true);
same<typeof reconnects.lost, number | undefined>(true);
same<typeof outbox.messages, number>(true);
// @ts-expect-error: frozen
wire.stats().settled = 1;
// @ts-expect-error: no such cause
void reconnects.bored;
for (const { time, name, details } of wire.recent()) void [time + 1, name.length, details.code];

// The same in exactly-once, and in its rooms.
const once = connectOnce<Messages>('/live', { outbox: { overflow: 'wait' }, rateLimit: { perSecond: 5 }, logger: console });
same<typeof once extends OnceWire<Messages> ? true : false, true>(true);
void once.stats().reconnects.goaway;
async function pulledOnce(): Promise<void> {
  for await (const { content, s } of once.messages('text')) same<typeof content | typeof s, string | number | undefined>(true);
  for await (const { content } of once.join('room').messages('typing')) same<typeof content, boolean>(true);
}
void pulledOnce;

// State, closing, disposal.
const state: State = wire.state;
void state;
const queued: number = wire.queued + wire.queuedBytes;
void queued;
void wire.close({ code: 4000, reason: 'bye', timeout: 0, signal });
wire.reconnect();
async function scope(): Promise<void> {
  await using scoped = connect('/chat');
  void scoped;
}
void scope;
// @ts-expect-error: read-only
wire.state = 'open';
// @ts-expect-error: everwire makes its errors itself
void new EverwireError();

// Options.
connect((context) => `/chat?t=${context.token}`, { token: () => 'a', protocols: async ({ token }) => ['v1', token ?? 'none'] });
connect('/chat', { WebSocket: NodeWebSocket });
// @ts-expect-error: that is everwire/exactly-once
connect('/chat', { delivery: 'exactly-once' });
// @ts-expect-error: unknown key
connect('/chat', { heartBeat: 1 });
// @ts-expect-error: unknown key inside
connect('/chat', { reconnect: { min: 1 } });
// @ts-expect-error: a number
connect('/chat', { connectTimeout: '5s' });
// @ts-expect-error: a url is required
connect();

// Slim: the same wire, and init takes whatever the wasm comes as.
void init();
void init('/everwire.wasm');
void init(fetch('/everwire.wasm'));
void init(new Uint8Array(8));
const slim: Wire<Messages> = connectSlim<Messages>('/chat');
void slim;
// @ts-expect-error: no source
void init(null);
