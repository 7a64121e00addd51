// The facade, built on the fly around a scripted core. Every load is a fresh module: no state is shared between tests.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { bundle } from '../build.mjs';
import { toText } from '../wasm-text.mjs';

/** The smallest module there is: what `new WebAssembly.Module` is given in place of the core. */
export const emptyWasm = Buffer.from('AGFzbQEAAAA=', 'base64');

const sources = {
  'everwire-glue': 'export default () => globalThis.everwireTestGlue()',
  'everwire-wasm-text': toText(emptyWasm),
};

const dir = mkdtempSync(join(tmpdir(), 'everwire-facade-'));
process.on('exit', () => rmSync(dir, { recursive: true, force: true }));

const built = new Map();
let loads = 0;

/** The path of a built entry. */
export async function entryFile(entry) {
  if (!built.has(entry)) {
    built.set(entry, bundle(entry, sources, { write: false, minify: false, sourcemap: false }));
  }
  const file = join(dir, `${entry.replaceAll('/', '-')}-${loads++}.mjs`);
  writeFileSync(file, (await built.get(entry)).outputFiles[0].text);
  return file;
}

/** Imports a fresh copy of src/<entry>.ts. */
export async function load(entry = 'index') {
  return import(pathToFileURL(await entryFile(entry)).href);
}

/** A fresh facade on a scripted core; `open` connects with sockets that go nowhere. */
export async function facade(entry = 'index') {
  const core = new FakeCore();
  globalThis.everwireTestGlue = () => core.instance();
  const module = await load(entry);
  const open = (url = 'wss://example.com/chat', options = {}) => {
    globalThis.everwireTestGlue = () => core.instance();
    return module.connect(url, { WebSocket: FakeSocket, ...options });
  };
  return { ...module, core, open };
}

/** A wire that is open, with its fake core and its socket. */
export async function opened(options, url) {
  const made = await facade();
  const wire = made.open(url, options);
  await turn();
  const { host, socket } = made.core.last;
  socket.readyState = 1;
  made.core.event(() => {
    host.opened(1, 1);
    host.state(1);
  });
  return { ...made, wire, host, socket };
}

/** A frame comes on a link. What the core makes of it is `core.overrides.wire_frame`. */
export const arrives = (host, data) => host.listener(1)({ type: 'message', data });

/** One turn of the event loop: every microtask has run. */
export const turn = () => new Promise((resolve) => setImmediate(resolve));

/** Collects what a wire fires, in order. */
export function record(wire, ...names) {
  const events = [];
  for (const name of names.length ? names : ['statechange', 'open', 'close', 'reconnecting', 'settled', 'undelivered', 'error']) {
    wire.addEventListener(name, (event) => events.push(event));
  }
  return events;
}

/** Waits for one event. */
export const next = (target, name) => new Promise((resolve) => target.addEventListener(name, resolve, { once: true }));

/** An AbortSignal that counts its listeners. */
export function countingSignal() {
  const controller = new AbortController();
  const { signal } = controller;
  let listeners = 0;
  const { addEventListener, removeEventListener } = signal;
  signal.addEventListener = function (...args) {
    listeners++;
    addEventListener.apply(this, args);
  };
  signal.removeEventListener = function (...args) {
    listeners--;
    removeEventListener.apply(this, args);
  };
  return { controller, signal, listeners: () => listeners };
}

export class FakeSocket extends EventTarget {
  static made = [];
  readyState = 0;
  sent = [];
  closed = 0;

  constructor(url, protocols) {
    super();
    this.url = url;
    this.protocols = protocols;
    FakeSocket.made.push(this);
  }

  send(data) {
    this.sent.push(data);
  }

  close() {
    this.closed++;
    this.readyState = 2;
  }
}

/** Stands in for the Rust side: records what it is told, and does the least that makes sense. */
export class FakeCore {
  /** Every call of an export: [name, ...args]. */
  calls = [];
  instances = [];
  wires = [];
  /** Replaces an export: overrides.wire_submit = (wire, ticket, bytes) => … */
  overrides = {};

  get last() {
    return this.wires.at(-1);
  }

  named(name) {
    return this.calls.filter(([called]) => called === name);
  }

  /** As a socket or page event: through the guard, where callbacks run before it returns. */
  event(fn, event = new Event('message'), instance = this.instances.at(-1)) {
    return instance.guard(fn)(event);
  }

  instance() {
    let instance;
    const exports = { initSync() {}, instance_start: (host) => this.instances.push((instance = host)) };
    const handles = new Map();
    const wireExports = {
      wire_create: (host, config) => {
        const wire = { handle: handles.size + 1, host, config: [...config], waiting: [] };
        handles.set(wire.handle, wire);
        this.wires.push(wire);
        return wire.handle;
      },
      wire_connect: (wire) => {
        wire.host.state(0);
        wire.host.dial(1);
      },
      wire_submit: (wire, ticket) => {
        if (!wire.socket || !wire.host.write(wire.socket, ticket)) wire.waiting.push(ticket);
        return 0;
      },
      wire_abort: (wire, ticket) => {
        const place = wire.waiting.indexOf(ticket);
        if (place < 0) return false;
        wire.waiting.splice(place, 1);
        wire.host.dropped(ticket, 2);
        return true;
      },
      wire_round_trip: () => 0,
      wire_turn_over() {},
      wire_settled() {},
      wire_frame() {},
      wire_echoed: (wire, ticket) => wire.host.settled(ticket),
      wire_dialled: (wire, _link, socket) => void (wire.socket = socket),
      wire_dial_failed: (wire) => {
        wire.host.reconnecting(2, 1000, 5, 0);
        wire.host.state(2);
      },
      wire_reconnect() {},
      wire_close: (wire, code, reason) => {
        wire.host.state(4);
        for (const ticket of wire.waiting.splice(0)) wire.host.dropped(ticket, 0);
        wire.host.state(5);
        wire.host.ended(1, 10, code, reason, true, -1);
      },
      wire_free: (wire) => void handles.delete(wire.handle),
    };
    for (const [name, plain] of Object.entries(wireExports)) {
      exports[name] = (first, ...args) => {
        this.calls.push([name, first, ...args]);
        const run = this.overrides[name] ?? plain;
        return name === 'wire_create' ? run(first, ...args) : run(handles.get(first), ...args);
      };
    }
    return exports;
  }
}
