// The names under which the core knows messages.

const NUMBERS = 2 ** 32;

/** A source of them. Before all have been given once none can be in use, and `isInUse` is not asked. */
export function ticketSource(isInUse: (ticket: number) => boolean, last = 0): () => number {
  let again = false;
  return () => {
    do {
      last = (last + 1) % NUMBERS;
      again ||= !last;
    } while (again && isInUse(last));
    return last;
  };
}
