// The boundary to `host-wasm`: its class, and the orders that it gives.

/** `host-wasm/src/orders.rs` has the same table. */
export type Order =
  | [kind: 0, link: number, binary: boolean, octets: Uint8Array] // write
  | [kind: 1, link: number, on: boolean] // read, or do not
  | [kind: 2, link: number, code: number, reason: string, lingers: boolean] // close
  | [kind: 3, link: number, id: number, token: string | null, renewal: boolean] // authenticate
  | [kind: 4, link: number, id: number, identity: string, rooms: [room: string, page: boolean][]] // authorise
  | [kind: 5, link: number, id: number, identity: string, kind: MessageKind, receiver: string | null, envelope: string, bytes?: Uint8Array] // examine
  | [kind: 6, run: number, identity: string, envelope: string, bytes?: Uint8Array] // run
  | [kind: 7]; // draw 16 random octets

export type MessageKind = 'message' | 'request' | 'cast';

export interface Core {
  admits(origin: string | undefined): boolean;
  enter(link: number, address: string, now: number): number;
  left(link: number): void;
  opened(link: number, now: number): void;
  messageBytesMax(link: number): number;
  octets(link: number, octets: number, now: number): void;
  frame(link: number, binary: boolean, octets: Uint8Array, now: number): void;
  tooLong(link: number, now: number): void;
  taken(link: number, octets: number, now: number): void;
  closed(link: number, now: number): void;
  end(link: number, code: number, reason: string, now: number): void;
  authenticated(link: number, id: number, identity: string, expires: number, now: number): void;
  anonymous(link: number, id: number, now: number): void;
  unauthenticated(link: number, id: number, why: number, now: number): void;
  authorised(link: number, id: number, permits: (number | string)[] | undefined, now: number): void;
  examined(link: number, id: number, verdict: number, told: string, now: number): void;
  ran(run: number, kind: string, json: string, now: number): void;
  failed(run: number, code: string, message: string, now: number): void;
  drawn(bits: Uint8Array, now: number): void;
  post(receiver: string, envelope: string, now: number): boolean;
  revoke(identity: string, room: string, now: number): void;
  expel(identity: string, code: number, reason: string, now: number): void;
  trim(subject: string, now: number): void;
  drain(leaveIn: number, window: number, reason: string, now: number): void;
  isIdle(): boolean;
  timeout(now: number): void;
  nextDeadline(): number;
  next(): Order | undefined;
  counts(): Float64Array;
}

export interface Glue {
  initSync(options: { module: WebAssembly.Module }): unknown;
  Server: new (
    secrets: Uint8Array, numbers: Float64Array, origins: string[], identities: string[], examines: boolean, now: number,
  ) => Core;
}

/** In the order of `Server::counts`. */
export const COUNTS = [
  'linksOpen', 'subjectsRead', 'links', 'linksWelcomed', 'closedBroken', 'closedOtherwise', 'framesIn', 'bytesIn', 'messagesIn',
  'framesOut', 'bytesOut', 'messagesOut', 'requests',
] as const;
