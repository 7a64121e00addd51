// One WebAssembly instance: the only way into it, and the first to know when it is dead.
import createGlue from 'everwire-glue';
import type { Exports, InstanceHost } from './contract.ts';
import { connectError, report } from './errors.ts';

type Task = () => void;
/** What the browser holds instead of a closure of the instance. */
type Guarded = { (event: Event): void; fn?: Function | undefined };

let compiled: WebAssembly.Module | undefined;
let current: Instance | undefined;

/** The living instance, or a fresh one from the retained module. Throws what `connect()` is to throw. */
export function acquire(compile: () => WebAssembly.Module): Instance {
  if (!current || current.dead) {
    try {
      current = new Instance((compiled ??= compile()));
    } catch (error) {
      // Chrome's text is the only one that names the cause; other engines just throw a CompileError.
      throw (error as { code?: unknown }).code === 'connect' ? error
        : connectError("the WebAssembly could not be started; a Content-Security-Policy needs 'wasm-unsafe-eval'", error);
    }
  }
  return current;
}

/** For tests. */
export function currentInstance(): Instance | undefined {
  return current;
}

/** `slim` compiles ahead. */
export function retain(module: WebAssembly.Module): void {
  compiled ??= module;
}

export class Instance {
  dead = false;
  /** How each wire hears that the instance has died. */
  readonly wires = new Set<(cause: unknown) => void>();
  /** The raw exports; only for tests that provoke a trap. */
  glue: Exports;
  /** Rust frames on the stack that we called. */
  #depth = 0;
  /** Timer entries that have begun and not ended: gloo-timers calls into the instance by itself. */
  #inside = 0;
  /** What runs once no Rust frame is on the stack: functions, each followed by what it is called with. */
  #tasks: unknown[] = [];
  /** Received messages, each behind its function: they come after the events of the same entry, `open` above all. */
  #messages: unknown[] = [];
  #flushing = false;
  /** A microtask that flushes is on its way: one is enough for a turn. */
  #coming = false;

  constructor(module: WebAssembly.Module) {
    const glue = createGlue();
    glue.initSync({ module });
    this.glue = glue;
    const host: InstanceHost = {
      panicked: (message) => this.#die(new Error(message)),
      guard: (fn) => this.guard(fn),
      // The closure behind it is about to be freed; an event that was put off must not reach it.
      release: (guarded: Guarded) => (guarded.fn = undefined),
      enter: () => {
        this.#inside++;
        // The microtask runs as soon as the timer's stack has unwound, trap or not.
        this.#soon();
      },
      leave: () => {
        this.#inside--;
      },
    };
    this.call('instance_start', host);
  }

  /** Calls an export. Callbacks follow in a microtask: the caller may be user code. Undefined if the instance is dead. */
  call<Name extends keyof Exports>(name: Name, ...args: Parameters<Exports[Name]>): ReturnType<Exports[Name]> | undefined {
    if (this.#inside) this.#die(unfinished());
    if (this.dead) return undefined;
    const result = this.#run(this.glue[name], args);
    if (this.#tasks.length && !this.#depth && !this.#flushing) this.#soon();
    return result;
  }

  /** Runs `task` when no Rust frame is on the stack. */
  queue(task: Task): void {
    this.#tasks.push(task, undefined);
    if (!this.#depth && !this.#flushing) this.#soon();
  }

  /** As `queue`, after everything else of the same entry; without a function for each message. */
  queueMessage<Message>(deliver: (message: Message) => void, message: Message): void {
    this.#messages.push(deliver, message);
  }

  /** What the browser may be given in place of a function that enters the instance. */
  guard(fn: Function): Guarded {
    const guarded: Guarded = (event: Event): void => {
      if (this.dead) {
        // What the closure holds is the dead memory. A socket given up while it was connecting is closed if it ever opens.
        guarded.fn = undefined;
        if (event?.type === 'open') (event.target as WebSocket).close();
      } else if (this.#depth || this.#inside) {
        // Only a socket that calls back from within `send` or `close` gets here: Rust is not re-entered.
        this.queue(() => guarded(event));
      } else if (guarded.fn) {
        this.#run(guarded.fn, [event]);
        this.#flush();
      }
    };
    guarded.fn = fn;
    return guarded;
  }

  #run(fn: Function, args: unknown[]): any {
    this.#depth++;
    try {
      return fn(...args);
    } catch (error) {
      this.#die(error);
    } finally {
      this.#depth--;
      this.#ripen();
    }
  }

  /** The entry in which these messages came has no more events of its own. */
  #ripen(): void {
    if (!this.#messages.length) return;
    // One by one: arguments are limited, and a frame has as many messages as its bytes allow.
    if (this.#tasks.length) for (const each of this.#messages) this.#tasks.push(each);
    else this.#tasks = this.#messages;
    this.#messages = [];
  }

  #soon(): void {
    // Not queueMicrotask: test frameworks replace it.
    if (this.#coming) return;
    this.#coming = true;
    void Promise.resolve().then(() => {
      this.#coming = false;
      this.#flush();
    });
  }

  #flush(): void {
    // No stack is below us but a guarded entry that has just returned: a timer entry still open is one that trapped.
    if (this.#inside) this.#die(unfinished());
    if (this.#flushing) return;
    this.#flushing = true;
    for (let next = 0; next < this.#tasks.length; next += 2) {
      try {
        (this.#tasks[next] as (argument: unknown) => void)(this.#tasks[next + 1]);
      } catch (error) {
        report(error);
      }
    }
    this.#tasks = [];
    this.#flushing = false;
  }

  #die(cause: unknown): void {
    if (this.dead) return;
    this.dead = true;
    this.#inside = 0;
    // What had arrived is still handed out, ahead of the bad news.
    this.#ripen();
    for (const died of this.wires) died(cause);
    this.wires.clear();
    this.#soon();
  }
}

function unfinished(): Error {
  return new Error('a timer entry did not end');
}
