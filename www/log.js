// The log of what the wires report about themselves.
import { element, setText } from './dom.js';

const MAX_LINES = 200;

export class Log {
  #list;
  #last = null;

  constructor(list) {
    this.#list = list;
  }

  /** Returns the node that holds `detail`. */
  add(who, name, detail) {
    const now = new Date();
    const clock = `${now.toLocaleTimeString('en-GB')}.${String(now.getMilliseconds()).padStart(3, '0')}`;
    const line = element(
      'li',
      { data: { event: name, who } },
      element('time', { dateTime: now.toISOString() }, clock),
      element('b', { className: 'who' }, who),
      element('span', { className: 'event' }, name),
      element('span', { className: 'detail' }, detail),
    );
    this.#last = null;
    this.#list.append(line);
    if (this.#list.childElementCount > MAX_LINES) this.#list.firstElementChild.remove();
    return line.lastElementChild;
  }

  /** For what comes in swarms: as long as nothing else was logged, the same line counts up. `describe` gets the count. */
  count(who, name, describe) {
    const key = `${who} ${name} ${describe(0)}`;
    if (this.#last?.key === key) return setText(this.#last.node, describe(++this.#last.count));
    const node = this.add(who, name, describe(1));
    this.#last = { key, node, count: 1 };
  }

  clear() {
    this.#last = null;
    this.#list.replaceChildren();
  }
}
