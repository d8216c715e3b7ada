import type { AttributeReader } from '../policy/index.js';
import { ifFound, type Origin, type Resource, type ResourceAttributes } from '../protocol/index.js';
import type { AssistantStore, CronStore, ThreadStore } from '../threads/index.js';

/**
 * Returns one function for each kind of record, such as threads. The function reads the attributes
 * of a record: its metadata, and its creator as the owner. Policies decide by these attributes.
 * Pass the stores without their guards, because a guarded store would ask the policy again.
 */
export function attributeReaders({
  threads,
  assistants,
  crons,
}: {
  threads: ThreadStore;
  assistants: AssistantStore;
  crons: CronStore;
}): Partial<Record<Resource['kind'], AttributeReader>> {
  return {
    thread: async (caller, { id }) => attributesOf(await ifFound(threads.getThread(caller, id))),
    run: async (caller, { id, threadId = '' }) =>
      attributesOf(await ifFound(threads.getRun(caller, threadId, id, { admittedOnly: false }))),
    assistant: async (caller, { id }) => attributesOf(await ifFound(assistants.getAssistant(caller, id))),
    cron: async (caller, { id }) => {
      const cron = await ifFound(crons.getCron(caller, id, { shownOnly: false }));
      return cron && attributesOf({ ...cron, createdBy: { principal: cron.createdBy, onBehalfOf: [] } });
    },
  };
}

function attributesOf(
  record: { createdBy?: Origin; metadata: Record<string, unknown> } | undefined,
): ResourceAttributes | undefined {
  if (record === undefined) return undefined;
  const { createdBy, metadata } = record;
  return { metadata, ...(createdBy && { owner: createdBy }) };
}
