// The boundary with the WebAssembly, as docs/DESIGN.md §3 has it.

/** What Rust exports. None of these throws: whatever is thrown through one means that the instance is dead. */
export interface Exports {
  instance_start(instance: InstanceHost): void;
  wire_create(host: Host, config: Float64Array): number;
  wire_connect(handle: number): void;
  wire_submit(handle: number, ticket: number, bytes: number, priority: number, key: number, ttlMs: number): number;
  wire_round_trip(handle: number): number;
  wire_abort(handle: number, ticket: number): boolean;
  wire_frame(handle: number, link: number, kind: number): void;
  wire_echoed(handle: number, ticket: number): void;
  wire_dialled(handle: number, link: number, socket: WebSocket, tokenChanged: boolean): void;
  wire_dial_failed(handle: number, link: number): void;
  wire_reconnect(handle: number): void;
  wire_close(handle: number, code: number, reason: string, drainMs: number): void;
  wire_free(handle: number): void;
}

/** What an instance calls whatever wire it works for. */
export interface InstanceHost {
  panicked(message: string): void;
  guard(fn: Function): Function;
  release(guarded: Function): void;
  enter(): void;
  leave(): void;
}

/** What Rust calls on a wire. No method throws or runs user code. */
export interface Host {
  dial(link: number): void;
  write(socket: WebSocket, ticket: number): boolean;
  beat(socket: WebSocket): boolean;
  listener(link: number): Function;
  settled(ticket: number): void;
  dropped(ticket: number, reason: number): void;
  state(state: number): void;
  opened(link: number, attempts: number): void;
  ended(link: number, cause: number, code: number, reason: string, clean: boolean, retryMs: number): void;
  reconnecting(attempt: number, retryMs: number, cause: number, code: number): void;
  error(code: number): void;
}
