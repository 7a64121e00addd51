// The shape of the package `ws`, for the type tests only; not published.
export class WebSocket {
  constructor(address: string | URL, protocols?: string | string[], options?: object);
  readonly readyState: 0 | 1 | 2 | 3;
  send(data: string | Uint8Array, callback?: (error?: Error) => void): void;
  close(code?: number, data?: string): void;
}
