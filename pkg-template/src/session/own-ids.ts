// Ids that the application has chosen: they do not show whose they are, as those do that everwire draws.

/** So many are remembered, and so many characters in all: the oldest are forgotten first. */
const OWN_IDS_MAX = 8192;
const CHARACTERS_MAX = 1_048_576;

export class OwnIds {
  #ids = new Set<string>();
  #characters = 0;

  add(id: string): void {
    this.#forget(id);
    this.#ids.add(id);
    this.#characters += id.length;
    while (this.#ids.size > OWN_IDS_MAX || this.#characters > CHARACTERS_MAX) this.#forget(this.#ids.values().next().value!);
  }

  has(id: string): boolean {
    return this.#ids.has(id);
  }

  #forget(id: string): void {
    if (this.#ids.delete(id)) this.#characters -= id.length;
  }
}
