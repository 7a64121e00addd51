// The entry `everwire/exactly-once`: its WebAssembly travels inside.
import type * as Public from '../types/exactly-once.js';
import { texts } from './errors.ts';
import { compile } from './inlined.ts';
import { sessionTexts } from './session/texts.ts';
import { SessionWire } from './session/wire.ts';

export { EverwireError } from './errors.ts';

Object.assign(texts, sessionTexts);

export const connect = ((url, options) => new SessionWire(compile, url, options) as unknown) as typeof Public.connect;
