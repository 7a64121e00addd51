// Runs in a page: one worker, and calls to it.

/** Whether this browser has such a worker here. */
export const exists = (kind) =>
  kind === 'dedicated' ? 'Worker' in window : kind === 'shared' ? 'SharedWorker' in window : 'serviceWorker' in navigator;

/** Starts a worker; resolves once it runs. */
export async function start(kind) {
  if (kind === 'dedicated') return fromWorker(new Worker('/worker/module.js', { type: 'module' }));
  if (kind === 'shared') {
    const worker = new SharedWorker('/worker/module.js', { type: 'module', name: String(Math.random()) });
    return fromWorker(worker, worker.port);
  }
  // Classic, as bundlers make it: not every browser has module service workers.
  const registration = await navigator.serviceWorker.register('/worker/classic.js');
  // Not `ready`, which is about the worker that controls this page.
  const worker = registration.installing ?? registration.waiting ?? registration.active;
  await new Promise((resolve, reject) => {
    const look = () => (worker.state === 'activated' ? resolve() : worker.state === 'redundant' && reject(new Error('the service worker failed to start')));
    worker.addEventListener('statechange', look);
    look();
  });
  return calls(worker);
}

function fromWorker(worker, port = worker) {
  const failed = new Promise((_, reject) => (worker.onerror = ({ message }) => reject(new Error(`the worker failed: ${message}`))));
  failed.catch(() => {});
  return calls(port, failed);
}

/** What a worker is asked, it answers at a port that goes along with the question. */
function calls(port, failed = new Promise(() => {})) {
  return (name, argument) => {
    const { port1, port2 } = new MessageChannel();
    const answer = new Promise((resolve, reject) => {
      port1.onmessage = ({ data: { value, error } }) => (error ? reject(new Error(error)) : resolve(value));
    });
    port.postMessage({ name, argument }, [port2]);
    return Promise.race([answer, failed]);
  };
}
