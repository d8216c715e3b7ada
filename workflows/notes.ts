import type { Note } from './contract.js';

const MAX_NOTES = 10;
const MAX_CHARACTERS = 300;

/**
 * The last ten notes of a conversation, oldest first. A note reports a failure that no client gets
 * as a response, such as a refused signal.
 */
export class Notes {
  constructor(
    private readonly now: () => number,
    public entries: Note[] = [],
  ) {}

  add(text: string): void {
    const cut = text.length <= MAX_CHARACTERS ? text : `${text.slice(0, MAX_CHARACTERS - 1)}…`;
    this.entries = [...this.entries, { at: new Date(this.now()).toISOString(), text: cut }].slice(-MAX_NOTES);
  }
}
