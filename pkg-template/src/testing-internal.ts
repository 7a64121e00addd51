// Built only with --internal, never published: tests that provoke traps reach the instance through it.
export { connect, EverwireError } from './index.ts';
export { currentInstance } from './instance.ts';
