// What most pages do by hand: a WebSocket, and `onclose → setTimeout(connect)` with the same delays as the others.
import { adapt } from './socket-like.mjs';

class Retrying extends EventTarget {
  #url;
  #delays;
  #attempt = 0;
  #closed = false;
  #socket;

  constructor(url, delays) {
    super();
    this.#url = url;
    this.#delays = delays;
    this.#dial();
  }

  get readyState() {
    return this.#socket.readyState;
  }

  send(data) {
    try {
      this.#socket.send(data);
    } catch {
      // still connecting: nobody queues
    }
  }

  close() {
    this.#closed = true;
    this.#socket.close();
  }

  #dial() {
    const socket = new WebSocket(this.#url);
    socket.binaryType = 'arraybuffer';
    this.#socket = socket;
    let opened = false;
    socket.onopen = () => {
      opened = true;
      this.#attempt = 0;
      this.dispatchEvent(new Event('open'));
    };
    socket.onmessage = ({ data }) => this.dispatchEvent(new MessageEvent('message', { data }));
    socket.onclose = ({ code }) => {
      if (opened) this.dispatchEvent(new CloseEvent('close', { code }));
      const { min, max, factor } = this.#delays;
      if (!this.#closed) setTimeout(() => this.#dial(), Math.min(max, min * factor ** this.#attempt++));
    };
  }
}

export async function open({ url, delays, on }) {
  return adapt(new Retrying(url, delays), on);
}
