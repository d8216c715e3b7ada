import type { Run } from '../protocol/index.js';
import { describeError } from '../steps/index.js';
import type { RunLog } from '../streams/index.js';
import type { AttemptDependencies } from './ports.js';

/**
 * Appends an event with one URL for each feedback key of the run. Clients post feedback on the run
 * to these URLs. If the URL for a feedback key cannot be created, the event leaves out this key.
 * The reason is logged, and the run goes on.
 */
export async function appendFeedback(
  { feedbackAddress, warn }: Pick<AttemptDependencies, 'feedbackAddress' | 'warn'>,
  { runId, request }: Run,
  log: RunLog,
): Promise<void> {
  if (request.feedbackKeys === undefined) return;
  const addresses = await Promise.all(
    request.feedbackKeys.map(async (key) => {
      try {
        if (feedbackAddress === undefined) throw new Error('LANGSMITH_API_KEY is not set');
        return [[key, await feedbackAddress(runId, key)]] as const;
      } catch (error) {
        warn(`run ${runId} has no address for feedback ${key}: ${describeError(error).message}`);
        return [];
      }
    }),
  );
  log.append({ ns: '', event: 'feedback', data: JSON.stringify(Object.fromEntries(addresses.flat())) });
}
