// `everwire-server` as a child process that the page may kill and that comes back on the log it has on disk.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';

/** Its clients are on this page: nobody has to be spread over more than a moment. */
const DRAIN = ['--drain-seconds', '1', '--window-seconds', '1'];
/** Who does not leave within this time after SIGTERM is killed, as process managers do: a half-open link holds a drain up. */
const GRACE_MS = 2000;

export class SessionServer {
  #program;
  #origins;
  #data;
  #child = null;
  #returning = null;
  #closed = false;

  /** Where it listens now; null while it is down. */
  port = null;

  /** Starts `program` on a new directory. Pages of these `origins` may connect. */
  static async start(program, origins) {
    const server = new SessionServer();
    server.#program = program;
    server.#origins = origins;
    server.#data = await mkdtemp(join(tmpdir(), 'everwire-demo-'));
    process.once('exit', server.#orphan);
    await server.#up().catch(async (error) => {
      await server.close();
      throw error;
    });
    return server;
  }

  /** Ends the process with `signal` and starts another one on the same directory after `seconds`; resolves when that listens. */
  restart(signal, seconds) {
    // Who asks while it is down gets what is under way.
    this.#returning ??= this.#return(signal, seconds).finally(() => (this.#returning = null));
    return this.#returning;
  }

  async close() {
    this.#closed = true;
    await this.#down('SIGKILL');
    process.off('exit', this.#orphan);
    await rm(this.#data, { recursive: true, force: true });
  }

  async #return(signal, seconds) {
    await this.#down(signal);
    await pause(seconds * 1000);
    if (!this.#closed) await this.#up();
  }

  async #up() {
    const origins = this.#origins.flatMap((origin) => ['--origin', origin]);
    const child = spawn(this.#program, ['--listen', '127.0.0.1:0', '--anonymous', '--data', this.#data, ...DRAIN, ...origins], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { RUST_LOG: 'warn', ...process.env },
      detached: true, // Ctrl+C is for the demo alone, which then ends it
    });
    this.#child = child;
    child.once('exit', () => {
      if (this.#child !== child) return;
      this.#child = this.port = null;
      if (!this.#returning && !this.#closed) console.error('everwire demo: everwire-server has ended by itself');
    });
    const port = new Promise((resolve, reject) => {
      child.once('error', (error) => reject(new Error(`${this.#program}: ${error.message}`)));
      child.once('exit', () => reject(new Error(`${this.#program} ended before it listened`)));
      createInterface({ input: child.stdout }).on('line', (line) => {
        const found = /^listening on http:\/\/127\.0\.0\.1:(\d+)$/.exec(line);
        if (found) resolve(Number(found[1]));
      });
    });
    this.port = await port;
  }

  async #down(signal) {
    const child = this.#child;
    if (!child?.pid || child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, 'exit');
    child.kill(signal);
    const late = setTimeout(() => child.kill('SIGKILL'), GRACE_MS);
    await exit;
    clearTimeout(late);
  }

  #orphan = () => this.#child?.kill('SIGKILL');
}
