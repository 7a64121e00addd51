// Never two links at once, as it is seen in two places: by the proxy, which reads what the page has written on each of its
// connections, and by the page, which counts its sockets. Neither asks the package.
import { headReader } from './frames.mjs';

/**
 * Watches a proxy in front of one page: `overtaken` are messages of the page on a connection after one on a newer connection. A
 * connection that has been replaced may linger, and be closed late; it may not be spoken on.
 */
export function watchLinks(proxy) {
  const audit = { links: [], overtaken: [] };
  let newest = 0;
  proxy.on('accept', (link) => {
    const record = { id: link.id, messages: 0 };
    audit.links.push(record);
    const frames = headReader((opcode) => {
      // Pongs are the browser's own, and a close frame may be late.
      if (opcode > 2) return;
      record.messages += 1;
      if (link.id < newest) audit.overtaken.push({ on: link.id, newest });
      newest = Math.max(newest, link.id);
    });
    link.on('read', (way, chunk) => way === 'up' && frames(chunk));
  });
  return audit;
}

/**
 * Runs in the page before anything else: `window.sockets` has how many it has `made`, and of each that was made while it still held
 * others, how many (`together`). Held is what is connecting or open and has not been closed by the page.
 */
export function countSockets() {
  const Native = window.WebSocket;
  const held = new Set();
  const sockets = (window.sockets = { made: 0, together: [] });
  window.WebSocket = class extends Native {
    constructor(...args) {
      super(...args);
      for (const other of held) if (other.readyState > Native.OPEN) held.delete(other);
      if (held.size > 0) sockets.together.push(held.size + 1);
      sockets.made += 1;
      held.add(this);
    }

    close(...args) {
      super.close(...args);
      held.delete(this);
    }
  };
}
