import { ColloquyError } from '../protocol/index.js';
import type { ConversationInput } from './contract.js';

/** The limits of a conversation's queue, and the errors of refusals. */
export class Limits {
  constructor(private readonly input: Pick<ConversationInput, 'threadId' | 'settings'>) {}

  /**
   * `ahead` is the number of waiting runs and the current one. `subject` is the refused request.
   * Errors: `queue_full`.
   */
  checkRuns(ahead: number, subject: string, factor = 1): void {
    const { queueLimit } = this.input.settings;
    if (ahead <= queueLimit * factor) return;
    throw this.refusal(
      'queue_full',
      `has ${ahead} runs, with room for ${queueLimit} behind the current one; cannot accept ${subject}`,
    );
  }

  /** A separate limit for other things, such as `delayed runs`. Errors: `queue_full`. */
  checkOthers(count: number, things: string, subject: string): void {
    const { queueLimit } = this.input.settings;
    if (count < queueLimit) return;
    throw this.refusal('queue_full', `has ${count} ${things}, with room for ${queueLimit}; cannot accept ${subject}`);
  }

  refusal(code: 'conflict' | 'queue_full' | 'thread_closed', text: string): ColloquyError {
    return new ColloquyError(code, `thread ${this.input.threadId} ${text}`);
  }
}
