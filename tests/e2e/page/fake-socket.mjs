// A WebSocket without a network: the test decides when it opens, what it receives, how it ends and how it misbehaves.
// It takes handlers both ways, as properties and as listeners.

/** A socket's own `close` bound to itself goes with the socket and holds nothing of the client's. */
const isOurs = (listener) => listener.name !== 'bound close';

export class FakeSocket extends EventTarget {
  static CONNECTING = 0;
  static OPEN = 1;
  static CLOSING = 2;
  static CLOSED = 3;
  /** Every socket since the last `reset()`, oldest first; soak tests keep only the newest. */
  static made = [];
  static keep = Infinity;
  static count = 0;
  /** Called with each new socket. */
  static onmade = null;

  readyState = 0;
  binaryType = 'blob';
  bufferedAmount = 0;
  extensions = '';
  protocol = '';
  sent = [];
  closeCalls = [];
  /** What `send()` throws, if anything. */
  sendError = null;
  /** Whether `close()` leads to a `close` event. */
  answersClose = true;
  /** Listeners that would keep the client's memory alive. */
  listeners = 0;

  constructor(url, protocols = []) {
    super();
    this.url = String(url);
    this.protocols = [protocols].flat();
    FakeSocket.count += 1;
    FakeSocket.made.push(this);
    if (FakeSocket.made.length > FakeSocket.keep) FakeSocket.made.shift();
    if (FakeSocket.onmade) queueMicrotask(() => FakeSocket.onmade?.(this));
  }

  static reset() {
    Object.assign(FakeSocket, { made: [], count: 0, onmade: null, keep: Infinity });
  }

  static get newest() {
    return FakeSocket.made.at(-1);
  }

  addEventListener(name, listener, ...rest) {
    if (isOurs(listener)) this.listeners += 1;
    super.addEventListener(name, listener, ...rest);
  }

  removeEventListener(name, listener, ...rest) {
    if (isOurs(listener)) this.listeners -= 1;
    super.removeEventListener(name, listener, ...rest);
  }

  send(data) {
    if (this.sendError) throw this.sendError;
    if (this.readyState === 0) throw new DOMException('still connecting', 'InvalidStateError');
    if (this.readyState === 1) this.sent.push(data);
  }

  close(code, reason) {
    this.closeCalls.push({ code, reason, readyState: this.readyState });
    if (this.readyState >= 2) return;
    this.readyState = 2;
    if (this.answersClose) queueMicrotask(() => this.end(code ?? 1005, reason ?? '', true));
  }

  // ---- the test's side ----

  accept() {
    this.readyState = 1;
    this.fire(new Event('open'));
  }

  receive(data) {
    this.fire(new MessageEvent('message', { data: typeof data === 'string' || data instanceof ArrayBuffer ? data : JSON.stringify(data) }));
  }

  end(code = 1006, reason = '', wasClean = code !== 1006) {
    this.readyState = 3;
    if (!wasClean) this.fire(new Event('error'));
    this.fire(new CloseEvent('close', { code, reason, wasClean }));
  }

  fire(event) {
    this[`on${event.type}`]?.(event);
    this.dispatchEvent(event);
  }

  /** The envelopes that were written. */
  get envelopes() {
    return this.sent.map((data) => JSON.parse(typeof data === 'string' ? data : new TextDecoder().decode(data)));
  }
}
