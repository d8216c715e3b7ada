import { Client } from 'langsmith';
import type { LangSmithConfig } from '../config/index.js';

const TIMEOUT_MS = 5_000;

/**
 * Returns a LangSmith URL that accepts feedback on a run under a feedback key. Errors: those of
 * LangSmith and of the network.
 */
type FeedbackAddress = (runId: string, key: string) => Promise<string>;

/**
 * Returns a function that creates feedback URLs. It uses the LangSmith API key of the process, or
 * else the one in the project's environment. Returns undefined if neither has an API key.
 */
export function feedbackAddresses(
  { apiKey, endpoint }: LangSmithConfig,
  project: NodeJS.Dict<string>,
): FeedbackAddress | undefined {
  const key = apiKey ?? project.LANGSMITH_API_KEY;
  const apiUrl = endpoint ?? project.LANGSMITH_ENDPOINT;
  if (!key) return undefined;
  const client = new Client({ apiKey: key, ...(apiUrl && { apiUrl }), timeout_ms: TIMEOUT_MS });
  return async (runId, feedbackKey) => (await client.createPresignedFeedbackToken(runId, feedbackKey)).url;
}
