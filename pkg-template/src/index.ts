// The entry `everwire`: the WebAssembly travels inside.
import type * as Public from '../types/index.js';
import { compile } from './inlined.ts';
import { Wire } from './wire.ts';

export { EverwireError } from './errors.ts';

export const connect = ((url, options) => new Wire(compile, url, options) as unknown) as typeof Public.connect;
