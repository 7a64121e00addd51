// What a server may write, by §3 of docs/PROTOCOL.md: a frame becomes its fields, or an error that names the clause.
const N = '(?:0|[1-9]\\d{0,15})';
const ROOM = '(?:[A-Za-z0-9._~-]|%[0-9A-F]{2}){1,384}';
const CODE = '[a-z0-9-]{1,32}';
const HIGHEST = Number.MAX_SAFE_INTEGER;

const VERBS = {
  welcome: { line: /^welcome$/, body: 'object' },
  ack: { line: new RegExp(`^ack (${N}) (${N})((?: ${N}:${CODE}){0,256})$`) },
  push: { line: new RegExp(`^push (${N}) (${N})((?: ${N}){1,1024})$`), body: 'array', binary: true },
  advance: { line: new RegExp(`^advance (${N}) (${N})$`) },
  joined: { line: new RegExp(`^joined (${ROOM}) (${N})(?: ([A-Za-z0-9._~-]{1,128}))?$`) },
  denied: { line: new RegExp(`^denied (${ROOM}) (${CODE})$`) },
  page: { line: new RegExp(`^page (${N}) (?:(more|cut|end)((?: ${N}){0,256})|!(${CODE}))$`), body: 'array', binary: true },
  reply: { line: new RegExp(`^reply (${N})$`), body: 'array', binary: true },
  goaway: { line: new RegExp(`^goaway (${N}) (${N})$`), body: 'object' },
  lost: { line: /^lost$/, body: 'object' },
  cast: { line: /^cast$/, body: 'array', binary: true },
  ping: { line: new RegExp(`^ping (${N})$`) },
  pong: { line: new RegExp(`^pong (${N})$`) },
  more: { line: new RegExp(`^more (${N})$`) },
  auth: { line: /^auth$/, body: 'object' },
};

export class Violation extends Error {
  constructor(clause, text) {
    super(`[${clause}] ${text}`);
    this.clause = clause;
  }
}

const rule = (holds, clause, text) => {
  if (!holds) throw new Violation(clause, text);
};

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** @returns {{verb: string, args: any[], body?: any, raw?: string, elements?: object[], bodyOctets: number, binary: boolean}} */
export function read(data, binary) {
  const lf = data.indexOf(10);
  const line = data.toString('latin1', 0, lf < 0 ? data.length : lf);
  const verb = line.split(' ', 1)[0];
  if (line.startsWith('x-')) return { verb: 'x-', args: [line], bodyOctets: 0, binary };
  rule(line.length <= 32_768, 'LIM-1', `a header line of ${line.length} octets`);
  rule(Object.hasOwn(VERBS, verb), 'FRM-4', `verb ${JSON.stringify(verb.slice(0, 40))}`);
  const shape = VERBS[verb];
  const match = shape.line.exec(line);
  rule(match, 'FRM-1', `header ${JSON.stringify(line.slice(0, 200))}`);
  const args = match.slice(1).map((text) => {
    if (text === undefined || !new RegExp(`^${N}$`).test(text)) return text;
    rule(Number(text) <= HIGHEST, 'NUM-1', `${text} in ${verb}`);
    return Number(text);
  });
  const frame = { verb, args, bodyOctets: lf < 0 ? 0 : data.length - lf - 1, binary };
  const wantsBody = shape.body && !(verb === 'page' && args[3] !== undefined);
  rule(wantsBody ? lf >= 0 && data.length > lf + 1 : lf < 0, 'FRM-2', `${verb} ${wantsBody ? 'without' : 'with'} a body`);
  if (!wantsBody) return numbered(frame);
  if (binary) {
    rule(shape.binary, 'TRN-4', `${verb} as a binary frame`);
    const second = data.indexOf(10, lf + 1);
    rule(second >= 0, 'FRM-7', 'a binary frame without its second LF');
    frame.raw = text(data.subarray(lf + 1, second));
    const envelope = parse(frame.raw);
    rule(!Object.hasOwn(envelope, 'content'), 'FRM-7', 'an envelope line with a member content');
    frame.elements = [{ ...envelope, content: data.subarray(second + 1) }];
  } else {
    frame.raw = text(data.subarray(lf + 1));
    frame.body = parse(frame.raw);
    if (shape.body === 'array') {
      rule(Array.isArray(frame.body), 'FRM-5', `the body of ${verb} is no array`);
      frame.elements = frame.body;
    } else {
      rule(frame.body !== null && typeof frame.body === 'object' && !Array.isArray(frame.body), 'FRM-12', `the body of ${verb} is no object`);
    }
  }
  return numbered(frame);
}

/** Turns the lists of `ack`, `push` and `page` into numbers, and counts the elements. */
function numbered(frame) {
  const { verb, args, elements } = frame;
  const list = (text) => (text ?? '').split(' ').filter(Boolean);
  if (verb === 'ack') {
    args[2] = list(args[2]).map((pair) => [Number(pair.split(':')[0]), pair.split(':')[1]]);
  }
  if (verb === 'push' || (verb === 'page' && args[3] === undefined)) {
    args[2] = list(String(args[2] ?? '')).map(Number);
    rule(args[2].length === elements.length, 'FRM-5', `${args[2].length} numbers and ${elements.length} elements in ${verb}`);
  }
  if (verb === 'reply') rule(elements.length === 1, 'FRM-5', 'a reply with other than one element');
  if (verb === 'cast') rule(elements.length >= 1 && elements.length <= 1_024, 'FRM-5', `a cast of ${elements.length}`);
  if (elements && elements.length > 1) rule(frame.bodyOctets <= 65_536, 'LIM-4', `${elements.length} messages in ${frame.bodyOctets} octets`);
  return frame;
}

function text(octets) {
  try {
    return utf8.decode(octets);
  } catch {
    throw new Violation('ERR-6', 'a body that is not UTF-8');
  }
}

function parse(raw) {
  try {
    return JSON.parse(raw);
  } catch {
    throw new Violation('ERR-6', `a body that is no JSON: ${raw.slice(0, 80)}`);
  }
}
