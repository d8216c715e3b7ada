import type { Note } from './contract.js';

const KEPT = 10;
const CHARACTERS = 300;

/** What became of what nobody could be answered, oldest first; the last few. */
export class Notes {
  constructor(
    private readonly now: () => number,
    public entries: Note[] = [],
  ) {}

  add(text: string): void {
    const cut = text.length <= CHARACTERS ? text : `${text.slice(0, CHARACTERS - 1)}…`;
    this.entries = [...this.entries, { at: new Date(this.now()).toISOString(), text: cut }].slice(-KEPT);
  }
}
