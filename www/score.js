// The scoreboard: one column per direction, one row per fate.
import { element, setText } from './dom.js';

const ROWS = [
  { key: 'sent', title: 'Sent', hint: 'calls of send()' },
  { key: 'arrived', title: 'Arrived', hint: 'counted at the far end, by id' },
  { key: 'waiting', title: 'Waiting', hint: 'in the outbox, for a link' },
  { key: 'underway', title: 'On the way', hint: 'written, nothing known yet' },
  { key: 'doubtArrived', title: 'In doubt, arrived', hint: 'reported to the sender; it had arrived' },
  { key: 'doubt', title: 'In doubt, not arrived', hint: 'reported to the sender, who can send it again' },
  { key: 'unsent', title: 'Not sent', hint: 'reported to the sender, who closed the wire' },
  { key: 'missed', title: 'Missed by the receiver', hint: 'reached the server while the far end was away' },
  { key: 'again', title: 'Arrived twice', hint: 'only what was sent again by hand', bad: true },
  { key: 'disorder', title: 'Out of order', hint: 'must stay 0', bad: true },
];

export class Score {
  #cells = [];
  #verdict;
  #scheduled = false;
  #ledgers = [];

  constructor({ head, body, verdict, directions }) {
    this.#verdict = verdict;
    head.replaceChildren(element('tr', {}, element('th', { scope: 'col' }, 'Message'), ...directions.map((name) => element('th', { scope: 'col' }, name))));
    body.replaceChildren(
      ...ROWS.map(({ key, title, hint }) => {
        const cells = directions.map((name, column) => element('td', { data: { score: key, column } }, '0'));
        this.#cells.push(cells);
        return element('tr', {}, element('th', { scope: 'row' }, title, element('small', {}, hint)), ...cells);
      }),
    );
  }

  /** Shows these ledgers from now on. */
  show(ledgers) {
    this.#ledgers = ledgers;
    this.update();
  }

  /** To be called after any change: draws once per frame. */
  update() {
    if (this.#scheduled) return;
    this.#scheduled = true;
    requestAnimationFrame(() => {
      this.#scheduled = false;
      this.#draw();
    });
  }

  #draw() {
    const all = this.#ledgers.map((ledger) => ledger.counts());
    ROWS.forEach(({ key, bad }, row) => {
      all.forEach((counts, column) => {
        const cell = this.#cells[row][column];
        setText(cell, String(counts[key]));
        cell.classList.toggle('zero', counts[key] === 0);
        cell.classList.toggle('bad', Boolean(bad) && counts[key] > 0);
      });
    });
    this.#judge(Object.fromEntries(ROWS.map(({ key }) => [key, all.reduce((sum, counts) => sum + counts[key], 0)])));
  }

  #judge(total) {
    const pending = total.waiting + total.underway;
    const doubt = total.doubt + total.doubtArrived;
    const parts = [
      `${total.arrived} arrived`,
      doubt && `${doubt} reported in doubt`,
      total.unsent && `${total.unsent} reported as not sent`,
      total.missed && `${total.missed} missed by an absent receiver`,
      pending && `${pending} not decided yet`,
    ].filter(Boolean);
    const state = total.disorder > 0 ? 'bad' : total.sent === 0 ? 'idle' : pending > 0 ? 'pending' : 'good';
    this.#verdict.dataset.verdict = state;
    const sums = `${total.sent} sent = ${parts.join(' + ')}.`;
    const text = { idle: 'Nothing sent yet.', pending: sums, good: `${sums} Every message is accounted for.`, bad: `${sums} The order was broken.` };
    setText(this.#verdict, text[state]);
  }
}
