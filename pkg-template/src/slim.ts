// The entry `everwire/slim`: the WebAssembly is a file of its own.
import type * as Public from '../types/index.js';
import { loader, missing } from './loading.ts';
import { Wire } from './wire.ts';

export { EverwireError } from './errors.ts';

export default loader(() => new URL('./everwire.wasm', import.meta.url));

export const connect = ((url, options) => new Wire(missing, url, options) as unknown) as typeof Public.connect;
