// A WebSocket whose other end is the test. It checks its arguments as browsers do and counts its listeners.
(() => {
  const sockets = [];
  const waiting = [];
  let taken = 0;
  let listeners = 0;

  class FakeSocket extends EventTarget {
    static CONNECTING = 0;
    static OPEN = 1;
    static CLOSING = 2;
    static CLOSED = 3;

    readyState = FakeSocket.CONNECTING;
    binaryType = 'blob';
    bufferedAmount = 0;
    protocol = '';
    sent = [];
    closes = [];
    // Deliver events even to listeners that have been removed: some browsers had already queued them.
    sticky = false;
    refusing = false;

    constructor(url, protocols) {
      super();
      this.url = url;
      this.protocols = [...protocols];
      sockets.push(this);
      waiting.shift()?.(sockets[taken++]);
    }

    addEventListener(type, listener) {
      listeners++;
      super.addEventListener(type, listener);
    }

    removeEventListener(type, listener) {
      listeners--;
      if (!this.sticky) super.removeEventListener(type, listener);
    }

    send(data) {
      if (this.readyState === FakeSocket.CONNECTING || this.refusing) {
        throw new DOMException('not open', 'InvalidStateError');
      }
      this.sent.push(data);
    }

    close(code, reason) {
      if (code !== undefined && code !== 1000 && !(code >= 3000 && code <= 4999)) {
        throw new DOMException('code', 'InvalidAccessError');
      }
      if (reason !== undefined && new TextEncoder().encode(reason).length > 123) {
        throw new DOMException('reason', 'SyntaxError');
      }
      this.closes.push([code, reason]);
      if (this.readyState < FakeSocket.CLOSING) this.readyState = FakeSocket.CLOSING;
    }

    accept(protocol = '') {
      this.protocol = protocol;
      this.readyState = FakeSocket.OPEN;
      this.dispatchEvent(new Event('open'));
    }

    receive(data) {
      this.dispatchEvent(new MessageEvent('message', { data }));
    }

    end(code, reason, wasClean) {
      this.readyState = FakeSocket.CLOSED;
      if (!wasClean) this.dispatchEvent(new Event('error'));
      this.dispatchEvent(new CloseEvent('close', { code, reason, wasClean }));
    }
  }

  const pageListeners = new Set();
  for (const name of ['add', 'remove']) {
    const original = globalThis[`${name}EventListener`];
    globalThis[`${name}EventListener`] = function (type, listener, ...rest) {
      if (type === 'online' || type === 'offline') pageListeners[name === 'add' ? 'add' : 'delete'](type + listener.id());
      return original.call(globalThis, type, listener, ...rest);
    };
  }
  let ids = 0;
  Function.prototype.id = function () {
    return (this.__id ??= ++ids);
  };

  globalThis.WebSocket = FakeSocket;
  globalThis.__fake = {
    // The next socket that nobody has asked for yet.
    next: () =>
      taken < sockets.length
        ? Promise.resolve(sockets[taken++])
        : new Promise((resolve) => waiting.push(resolve)),
    // Sockets of wires of earlier tests are nobody's.
    skip: () => {
      taken = sockets.length;
    },
    made: () => sockets.length,
    listeners: () => listeners,
    pageListeners: () => pageListeners.size,
    page: (type) => globalThis.dispatchEvent(new Event(type)),
    // Into the back/forward cache, or out of it.
    kept: (type) => globalThis.dispatchEvent(new PageTransitionEvent(type, { persisted: true })),
    turn: () => new Promise((resolve) => setTimeout(resolve)),
  };
})();
