import { Client } from 'langsmith';
import type { LangSmithConfig } from '../config/index.js';

const TIMEOUT_MS = 5_000;

/** Answers an address for feedback on a run under a key. Errors: what LangSmith or the network says. */
export type FeedbackAddress = (runId: string, key: string) => Promise<string>;

/** Addresses made by LangSmith, for who has an account in the environment of the process or of the project; undefined: nobody has. */
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
