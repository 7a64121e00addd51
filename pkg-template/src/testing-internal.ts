// Built only with --internal, never published: tests that provoke traps or weigh memory reach the instance through it.
import { currentInstance } from './instance.ts';

export { connect, EverwireError } from './index.ts';
export { currentInstance };

/** Linear memory of the living instance; it never shrinks. */
export function wasmMemoryBytes(): number {
  // Started already, `initSync` hands out the exports and does nothing else.
  return (currentInstance()!.glue as any).initSync({}).memory.buffer.byteLength;
}
