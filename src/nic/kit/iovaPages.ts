/** Which host page lies behind an I/O page, as the kit saw it being mapped: the reverse of what a driver knows. */
export class IovaPages {
  #pages = new Uint32Array(1024);

  /** The page at `page` is mapped at this I/O address. */
  note(iovaLow: number, page: number): void {
    const slot = iovaLow >>> 12;
    if (slot >= this.#pages.length) {
      const grown = new Uint32Array(2 ** Math.ceil(Math.log2(slot + 1)));
      grown.set(this.#pages);
      this.#pages = grown;
    }
    this.#pages[slot] = page;
  }

  /** Host address of the page, 0 when the kit knows none. */
  pageOf(iovaLow: number): number {
    return this.#pages[iovaLow >>> 12] ?? 0;
  }
}
