import type { Router } from 'express';
import type { Caller } from '../../protocol/index.js';
import { truncateBody } from '../../protocol/schemas/index.js';
import { callerOf, type ApiContext } from '../context.js';
import { bodyOf } from '../http/params.js';
import { createRouter } from '../http/router.js';
import { deleteThread } from '../../conversations/delete-thread.js';
import { parse } from '../http/validate.js';

const PAGE = 100;

/**
 * Empties a tenant between two test suites, as LangGraph's own server does for its tests; served in test mode alone. A thread holds its runs
 * and its state here, so that any of the three takes the threads away, and ends their conversations.
 */
export function truncateRoutes(context: ApiContext): Router {
  const router = createRouter();

  router.post('/internal/truncate', async (req, res) => {
    const body = parse(truncateBody, bodyOf(req), 'request body');
    const caller = callerOf(res);
    if (body.threads || body.runs || body.checkpointer) await deleteThreads(context, caller);
    if (body.assistants) await deleteAssistants(context, caller);
    if (body.store) await context.items.clear(caller);
    res.json({ ok: true });
  });

  return router;
}

async function deleteThreads(context: ApiContext, caller: Caller): Promise<void> {
  for (;;) {
    const threads = await context.threads.searchThreads(caller, { limit: PAGE, offset: 0 });
    if (threads.length === 0) return;
    for (const { threadId } of threads) await deleteThread(context, caller, threadId);
  }
}

/** Those of graphs stay, as they began. */
async function deleteAssistants(context: ApiContext, caller: Caller): Promise<void> {
  const { total } = await context.assistants.searchAssistants(caller, { limit: 1, offset: 0 });
  const pages = Array.from({ length: Math.ceil(total / PAGE) }, (_, page) => page * PAGE);
  const found = await Promise.all(
    pages.map((offset) => context.assistants.searchAssistants(caller, { limit: PAGE, offset })),
  );
  for (const { assistantId } of found.flatMap(({ assistants }) => assistants)) {
    await context.assistants.deleteAssistant(caller, assistantId);
  }
}
