// What a wire does with a socket by itself.

const WEBSOCKET_CONNECTING = 0;
const WEBSOCKET_OPEN = 1;

/** False: not written. A socket may drop silently what it is given when it is not open. */
export function transmit(socket: WebSocket, frame: string | Uint8Array<ArrayBuffer>): boolean {
  if (socket.readyState !== WEBSOCKET_OPEN) return false;
  try {
    socket.send(frame);
    return true;
  } catch {
    return false;
  }
}

/** Closes a socket that nobody listens to any more. */
export function abandon(socket: WebSocket | undefined): void {
  try {
    // Safari can break all its WebSockets when a connecting one is closed: only if it ever opens.
    if (socket?.readyState === WEBSOCKET_CONNECTING && globalThis.navigator?.vendor?.startsWith('Apple')) socket.addEventListener('open', () => socket.close());
    else socket?.close();
  } catch {
    // Nothing is left to be done about it.
  }
}
