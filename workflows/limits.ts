import { ColloquyError } from '../protocol/index.js';
import type { ConversationInput } from './contract.js';

/** Checks the limits of a conversation's queue and makes the errors for refused requests. */
export class Limits {
  constructor(private readonly input: Pick<ConversationInput, 'threadId' | 'settings'>) {}

  /**
   * Checks the number of runs. `ahead` counts the waiting runs and the current one. `subject` names
   * the request that would be refused. Errors: `queue_full`.
   */
  checkRuns(ahead: number, subject: string, factor = 1): void {
    const { queueLimit } = this.input.settings;
    if (ahead <= queueLimit * factor) return;
    throw this.refusal(
      'queue_full',
      `has ${ahead} runs, with room for ${queueLimit} behind the current one; cannot accept ${subject}`,
    );
  }

  /**
   * Checks the number of other things, such as `delayed runs`. They have a limit of their own.
   * Errors: `queue_full`.
   */
  checkOthers(count: number, things: string, subject: string): void {
    const { queueLimit } = this.input.settings;
    if (count < queueLimit) return;
    throw this.refusal('queue_full', `has ${count} ${things}, with room for ${queueLimit}; cannot accept ${subject}`);
  }

  refusal(code: 'conflict' | 'queue_full' | 'thread_closed', text: string): ColloquyError {
    return new ColloquyError(code, `thread ${this.input.threadId} ${text}`);
  }
}
