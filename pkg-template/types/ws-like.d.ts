// The shape of the package `ws`, for the type tests only; not published.
export class WebSocket {
  constructor(address: string | URL, protocols?: string | string[], options?: object);
  readonly readyState: 0 | 1 | 2 | 3;
  binaryType: 'nodebuffer' | 'arraybuffer' | 'fragments';
  send(data: string | Uint8Array, callback?: (error?: Error) => void): void;
  close(code?: number, data?: string): void;
  addEventListener<K extends 'open' | 'message' | 'error' | 'close'>(type: K, listener: (event: { type: K }) => void, options?: object): void;
  removeEventListener<K extends 'open' | 'message' | 'error' | 'close'>(type: K, listener: (event: { type: K }) => void): void;
}
