import { ColloquyError } from '../protocol/index.js';
import type { ConversationInput } from './contract.js';

/** Checks the limits of a conversation's queue, and creates the errors for refused requests. */
export class Limits {
  constructor(private readonly input: Pick<ConversationInput, 'threadId' | 'settings'>) {}

  /**
   * Checks that there is room for one more run. `ahead` is the number of waiting runs plus the
   * current one. `subject` names the new request in the error. `factor` multiplies the limit.
   * Errors: `queue_full`.
   */
  checkRuns(ahead: number, subject: string, factor = 1): void {
    const room = this.input.settings.queueLimit * factor;
    if (ahead <= room) return;
    throw this.refusal(
      'queue_full',
      `has ${ahead} runs, with room for ${room} behind the current one; cannot accept ${subject}`,
    );
  }

  /**
   * Checks the limit for something that is counted separately from the runs of the queue. `things`
   * says what it is, such as `delayed runs`, and `count` is the number of them. `subject` names the
   * new request in the error. Errors: `queue_full`.
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
