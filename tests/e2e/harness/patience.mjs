// Somebody who drops whoever says nothing for so long, as load balancers and servers do: it counts frames of any kind, the pongs
// of the browser included, and does not ask the client.
import { headReader } from './frames.mjs';

/** Puts a proxy's connections to the test: `dropped` so many, `longest` silence of a client in milliseconds. */
export function dropSilent(proxy, patienceMs) {
  const watched = { dropped: 0, longest: 0, frames: 0 };
  const timers = new Map(); // link → what ends it
  proxy.on('close', (link) => {
    clearTimeout(timers.get(link));
    timers.delete(link);
  });
  const note = (since) => (watched.longest = Math.max(watched.longest, performance.now() - since));
  proxy.on('accept', (link) => {
    let last = performance.now();
    const timer = setTimeout(() => {
      watched.dropped += 1;
      note(last);
      link.reset();
    }, patienceMs);
    const frames = headReader(() => {
      watched.frames += 1;
      note(last);
      last = performance.now();
      timer.refresh();
    });
    link.on('read', (way, chunk) => way === 'up' && frames(chunk));
    timers.set(link, timer);
  });
  return watched;
}
