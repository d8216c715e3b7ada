import { z } from 'zod';
import { deleteThread } from '../../conversations/delete-thread.js';
import { NOTHING_REQUIRED, type Caller } from '../../protocol/index.js';
import { truncateBody } from '../../protocol/schemas/index.js';
import type { ApiContext } from '../context.js';
import { route } from '../http/route.js';

const PAGE = 100;
const ALL = { required: NOTHING_REQUIRED };

/**
 * Deletes the kinds of records that the body names, between two test suites, as LangGraph's server
 * does for its own tests. The route is served in test mode only. Runs and state belong to a thread,
 * so each of the fields `threads`, `runs` and `checkpointer` deletes all threads with their
 * conversations. A project's authorization handlers are not asked, because the request is not about
 * single records.
 */
export const truncateRoute = route({
  method: 'post',
  path: '/internal/truncate',
  group: 'meta',
  tag: 'System',
  summary: 'Delete all records of the tenant; in test mode only',
  body: truncateBody,
  answers: { 200: z.object({ ok: z.literal(true) }) },
  action: 'server.truncate',
  auth: 'authenticated',
  async handle(context, { caller, body, res }) {
    if (body.threads || body.runs || body.checkpointer) await deleteThreads(context, caller);
    if (body.assistants) await deleteAssistants(context, caller);
    if (body.store) await context.items.clear(caller);
    res.json({ ok: true });
  },
});

async function deleteThreads(context: ApiContext, caller: Caller): Promise<void> {
  for (;;) {
    const threads = await context.threads.searchThreads(caller, { ...ALL, limit: PAGE, offset: 0 });
    if (threads.length === 0) return;
    for (const { threadId } of threads) await deleteThread(context, caller, threadId);
  }
}

/** Deletes all assistants. Deleting a system assistant resets it to its first version. */
async function deleteAssistants(context: ApiContext, caller: Caller): Promise<void> {
  const { total } = await context.assistants.searchAssistants(caller, { ...ALL, limit: 1, offset: 0 });
  const pages = Array.from({ length: Math.ceil(total / PAGE) }, (_, page) => page * PAGE);
  const found = await Promise.all(
    pages.map((offset) => context.assistants.searchAssistants(caller, { ...ALL, limit: PAGE, offset })),
  );
  for (const { assistantId } of found.flatMap(({ assistants }) => assistants)) {
    await context.assistants.deleteAssistant(caller, assistantId);
  }
}
