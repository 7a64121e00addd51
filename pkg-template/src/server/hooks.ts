// What the application is asked, and its answers as the core takes them.
import type { IncomingMessage } from 'node:http';
import type { Core, MessageKind } from './contract.ts';
import type { ServerSettings } from './options.ts';

/** Longer than this nobody waits for a hook (ROOM-21); what comes later is thrown away. */
const HOOK_MAX_MS = 10_000;
const NAMES_MAX = 128;

type Hooks = ServerSettings['hooks'];

/** Calls the core with an answer, and carries out what follows. */
export type Answer = (answer: (core: Core, now: number) => void) => void;

export class Application {
  #hooks: Hooks;
  #answer: Answer;
  #report: (error: unknown) => void;

  constructor(hooks: Hooks, answer: Answer, report: (error: unknown) => void) {
    this.#hooks = hooks;
    this.#answer = answer;
    this.#report = report;
  }

  authenticate(link: number, id: number, token: string | null, renewal: boolean, address: string, request: IncomingMessage): void {
    this.#ask(
      () => this.#hooks.authenticate(token, { address, renewal, request }),
      (who) => {
        if (!who) return (core, now) => core.unauthenticated(link, id, 0, now);
        if ('forbidden' in who && who.forbidden) return (core, now) => core.unauthenticated(link, id, 1, now);
        if ('anonymous' in who && who.anonymous) return (core, now) => core.anonymous(link, id, now);
        const { identity, expires } = who as { identity: string; expires?: number };
        if (typeof identity !== 'string') throw new TypeError('authenticate must give an identity, { anonymous: true }, { forbidden: true }, or nothing');
        if (expires !== undefined && !(expires >= 0)) throw new TypeError('expires is a time in milliseconds from now');
        return (core, now) => core.authenticated(link, id, identity, expires ?? -1, now);
      },
      (core, now) => core.unauthenticated(link, id, 2, now),
    );
  }

  authorise(link: number, id: number, identity: string, rooms: [room: string, page: boolean][]): void {
    const ask = () => {
      const answers = rooms.map(([room, page]) => this.#hooks.authorize({ identity, room, access: page ? 'page' : 'join' }));
      return answers.some(isPromise) ? Promise.all(answers) : answers;
    };
    this.#ask(
      ask as () => unknown[] | Promise<unknown[]>,
      (answers) => {
        const permits = answers.map(permit);
        return (core, now) => core.authorised(link, id, permits, now);
      },
      (core, now) => core.authorised(link, id, undefined, now),
    );
  }

  examine(
    link: number, id: number, sender: string, kind: MessageKind, receiver: string | null, envelope: string, bytes: Uint8Array | undefined,
  ): void {
    this.#ask(
      () => this.#hooks.onMessage?.({ ...read(envelope, bytes), sender, receiver, kind }),
      (verdict) => {
        if (!verdict) return (core, now) => core.examined(link, id, 0, '', now);
        if ('refuse' in verdict) return (core, now) => core.examined(link, id, 2, String(verdict.refuse), now);
        return (core, now) => core.examined(link, id, 1, String(verdict.receiver), now);
      },
      (core, now) => core.examined(link, id, 3, '', now),
    );
  }

  run(run: number, sender: string, envelope: string, bytes: Uint8Array | undefined): void {
    const { type, content, envelope: whole } = read(envelope, bytes);
    if (!Object.hasOwn(this.#hooks.handlers, type)) {
      return this.#answer((core, now) => core.failed(run, 'unhandled', 'nobody handles this type', now));
    }
    // A handler has a time of its own, `handlerTimeout`, which the core keeps.
    const told = (error: unknown) => (core: Core, now: number) => {
      const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
      core.failed(run, String(code ?? 'failed').slice(0, NAMES_MAX), String(message ?? error).slice(0, 1024), now);
    };
    const answered = (content: unknown) => {
      const json = JSON.stringify(content) ?? 'null';
      this.#answer((core, now) => core.ran(run, type, json, now));
    };
    try {
      const content_ = this.#hooks.handlers[type]!(content, { sender, bytes, envelope: whole });
      if (isPromise(content_)) content_.then(answered).catch((error: unknown) => this.#answer(told(error)));
      else answered(content_);
    } catch (error) {
      this.#answer(told(error));
    }
  }

  /** Asks; what is known at once is told at once. A hook that throws, or never answers, has failed. */
  #ask<T>(ask: () => T | Promise<T>, taken: (answer: T) => (core: Core, now: number) => void, failed: (core: Core, now: number) => void): void {
    const fail = (error: unknown) => {
      this.#report(error);
      this.#answer(failed);
    };
    try {
      const answer = ask();
      if (!isPromise(answer)) return this.#answer(taken(answer));
      let timer: ReturnType<typeof setTimeout> | undefined;
      const late = new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new Error('a hook has not answered within 10 s')), HOOK_MAX_MS);
        timer.unref();
      });
      Promise.race([answer, late])
        .finally(() => clearTimeout(timer))
        .then((answer) => this.#answer(taken(answer)))
        .catch(fail);
    } catch (error) {
      fail(error);
    }
  }
}

function isPromise<T>(answer: T | Promise<T>): answer is Promise<T> {
  return typeof (answer as { then?: unknown } | null)?.then === 'function';
}

/** A position from where on, or why not. */
function permit(answer: unknown): number | string {
  if (answer === true) return 0;
  if (!answer) return 'forbidden';
  const { since, denied } = answer as { since?: unknown; denied?: unknown };
  if (typeof denied === 'string') return denied;
  if (typeof since === 'number' && since >= 0) return since;
  throw new TypeError('authorize must give true, false, { since } or { denied }');
}

function read(json: string, bytes: Uint8Array | undefined): { type: string; content: unknown; bytes: Uint8Array | undefined; envelope: Record<string, unknown> } {
  const envelope = JSON.parse(json) as Record<string, unknown>;
  return { type: String(envelope.type), content: envelope.content, bytes, envelope };
}
