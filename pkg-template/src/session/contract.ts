// The boundary with the WebAssembly of `exactly-once`, as docs/DESIGN.md §3 has it.
import type { InstanceHost } from '../contract.ts';

/** What Rust exports. None of these throws: whatever is thrown through one means that the instance is dead. */
export interface SessionExports {
  instance_start(instance: InstanceHost): void;
  wire_create(host: SessionHost, config: Float64Array, producer: Uint8Array): number;
  wire_connect(handle: number): void;
  wire_submit(
    handle: number, ticket: number, bytes: number, binary: boolean, priority: number, key: number, ttlMs: number, answerMs: number,
  ): number;
  /** Lets out what was submitted in this turn. */
  wire_turn_over(handle: number): void;
  wire_abort(handle: number, ticket: number): void;
  wire_round_trip(handle: number): number;
  wire_cast(handle: number, ticket: number, bytes: number, binary: boolean): boolean;
  wire_join(handle: number, room: string): number;
  wire_leave(handle: number, room: string): void;
  wire_page(handle: number, page: number, room: string, epoch: string, before: number, count: number): number;
  wire_page_abort(handle: number, page: number): void;
  /** Runs of deliveries: the first and how many. */
  wire_settled(handle: number, runs: Float64Array): void;
  wire_dialled(handle: number, link: number, socket: WebSocket, tokenChanged: boolean, fresh: Uint8Array): void;
  wire_dial_failed(handle: number, link: number): void;
  wire_renewed(handle: number, link: number, bytes: number): void;
  wire_renewal_failed(handle: number, link: number): void;
  wire_reconnect(handle: number): void;
  wire_close(handle: number, drainMs: number): void;
  wire_free(handle: number): void;
  wire_follows(url: string, present: string, redirects: string[]): boolean;
}

/** What Rust calls on a wire. No method throws or runs user code. `NONE` stands for a number that is not there, '' for a text. */
export interface SessionHost {
  dial(link: number, redirected: boolean): void;
  renew(link: number): void;
  forget_socket(): void;

  hello(socket: WebSocket, head: string, numbers: Float64Array, texts: string[]): boolean;
  write(socket: WebSocket, head: string): boolean;
  send(socket: WebSocket, head: string, tickets: Uint32Array, withdrawn: boolean): boolean;
  cast(socket: WebSocket, head: string, ticket: number): boolean;
  auth(socket: WebSocket, head: string): boolean;

  inspect(data: unknown): void;
  head(): string;
  found(): Float64Array;
  texts(): string[];
  /** Runs of indices: the first and how many. */
  received(runs: Float64Array): void;
  /** Runs in which both rise by one: the first delivery, its s, and how many. */
  started(runs: Float64Array): void;
  casts(): void;
  answered(ticket: number): void;
  paged(page: number, mark: number, numbers: Float64Array): void;
  page_failed(page: number, why: number, code: string): void;

  settled(tickets: Uint32Array, durable: boolean): void;
  exited(ticket: number, n: number, exit: number, why: number, durable: boolean, code: string): void;
  unanswered(ticket: number, why: number): void;
  unbacked(ranges: Float64Array, tickets: Uint32Array): void;

  joined(room: string, from: number): void;
  denied(room: string, code: string): void;
  lost(subjects: string[]): void;
  state(state: number): void;
  opened(numbers: Float64Array, texts: string[]): void;
  ended(link: number, why: number, code: number, retryMs: number, clause: string, reason: string, clean: boolean): void;
  reconnecting(attempt: number, delayMs: number, why: number, code: number): void;
  notice(kind: number, a: number, b: number, clause: string): void;
}

export const NONE = -1;
