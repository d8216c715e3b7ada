import { ColloquyError } from '../protocol/index.js';
import type { ConversationInput } from './contract.js';

/** What a conversation has no room for, and the words in which it refuses. */
export class Limits {
  constructor(private readonly input: Pick<ConversationInput, 'threadId' | 'settings'>) {}

  /** `ahead`: runs that wait, and the current one. Errors: `queue_full`. */
  checkRuns(ahead: number, what: string, factor = 1): void {
    const { queueLimit } = this.input.settings;
    if (ahead <= queueLimit * factor) return;
    throw this.refusal(
      'queue_full',
      `has ${ahead} runs, with room for ${queueLimit} behind the current one; cannot accept ${what}`,
    );
  }

  /** `things`: `delayed runs`. Errors: `queue_full`. */
  checkBeside(count: number, things: string, what: string): void {
    const { queueLimit } = this.input.settings;
    if (count < queueLimit) return;
    throw this.refusal('queue_full', `has ${count} ${things}, with room for ${queueLimit}; cannot accept ${what}`);
  }

  refusal(code: 'conflict' | 'queue_full' | 'thread_closed', text: string): ColloquyError {
    return new ColloquyError(code, `thread ${this.input.threadId} ${text}`);
  }
}
