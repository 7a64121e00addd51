// What a test has opened is closed when it is over, the newest first.
import { afterEach } from 'node:test';

/** `push(undo)` notes how; `now()` does it, which `hook` registers for the end of each test of where this is called. */
export function cleanups(hook = afterEach) {
  const undoings = [];
  const now = async () => {
    for (const undo of undoings.splice(0).reverse()) await undo();
  };
  hook(now);
  return { push: (undo) => void undoings.push(undo), now };
}
