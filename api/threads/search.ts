import type { Router } from 'express';
import type { z } from 'zod';
import { ColloquyError, type Caller, type Thread } from '../../protocol/index.js';
import { threadCount, threadSearch } from '../../protocol/schemas/index.js';
import type { ThreadFilter, ThreadQuery } from '../../threads/index.js';
import { requiredOf } from '../auth/required.js';
import { callerOf, type ApiContext } from '../context.js';
import { setPagination } from '../http/pagination.js';
import { bodyOf } from '../http/params.js';
import { createRouter } from '../http/router.js';
import { contains, valuesOfAll } from '../../conversations/thread-values.js';
import { parse } from '../http/validate.js';
import { select, threadToWire } from '../http/wire.js';

const DEFAULT_PAGE = 10;
/** States are looked through so many at a time, and so many for one request. */
const LOOK_PAGE = 100;
const MAX_LOOKED_THROUGH = 10_000;

type SearchBody = z.infer<typeof threadSearch>;

/** A thread with its state, where that was read. */
interface Found {
  thread: Thread;
  values?: unknown;
}

export function threadSearchRoutes(context: ApiContext): Router {
  const router = createRouter();

  router.post('/threads/search', async (req, res) => {
    const body = parse(threadSearch, bodyOf(req), 'request body');
    const query: ThreadQuery = {
      ...filterOf(body),
      ...requiredOf(res),
      limit: body.limit ?? DEFAULT_PAGE,
      offset: body.offset ?? 0,
      sortBy: body.sort_by ?? 'created_at',
      sortOrder: body.sort_order ?? 'desc',
    };
    const caller = callerOf(res);
    const { found, total } = body.values
      ? await pageByState(context, caller, query, body.values)
      : await page(context, caller, query, needsValues(body));
    setPagination(res, { offset: query.offset, limit: query.limit, total });
    res.json(found.map((one) => shown(one, body)));
  });

  router.post('/threads/count', async (req, res) => {
    const body = parse(threadCount, bodyOf(req), 'request body');
    const filter = { ...filterOf(body), ...requiredOf(res) };
    const caller = callerOf(res);
    if (!body.values) {
      res.json(await context.threads.countThreads(caller, filter));
      return;
    }
    let count = 0;
    for await (const found of withState(context, caller, filter, body.values)) count += found.length;
    res.json(count);
  });

  return router;
}

function filterOf({ metadata, status, ids }: Pick<SearchBody, 'metadata' | 'status' | 'ids'>): ThreadFilter {
  return { ...(metadata && { metadata }), ...(status && { status }), ...(ids?.length && { ids }) };
}

function needsValues({ select: fields, extract }: SearchBody): boolean {
  const isState = (path: string) => /^values\b/.test(path);
  return !fields || fields.some(isState) || Object.values(extract ?? {}).some(isState);
}

/** One page. The total is counted only where there is more than the page. */
async function page(
  context: ApiContext,
  caller: Caller,
  query: ThreadQuery,
  withValues: boolean,
): Promise<{ found: Found[]; total: number }> {
  const { limit, offset } = query;
  const more = await context.threads.searchThreads(caller, { ...query, limit: limit + 1 });
  const threads = more.slice(0, limit);
  const values = withValues ? await valuesOfAll(context, caller, threads) : [];
  const total = more.length > limit ? await context.threads.countThreads(caller, query) : offset + threads.length;
  return { found: threads.map((thread, index) => ({ thread, values: values[index] })), total };
}

/** One page of those whose state has the values; whether there is one more is what the next page needs, so no more are looked at. */
async function pageByState(
  context: ApiContext,
  caller: Caller,
  query: ThreadQuery,
  wanted: Record<string, unknown>,
): Promise<{ found: Found[]; total: number }> {
  const end = query.offset + query.limit;
  const all: Found[] = [];
  for await (const found of withState(context, caller, query, wanted)) {
    all.push(...found);
    if (all.length > end) break;
  }
  return { found: all.slice(query.offset, end), total: Math.min(all.length, end + 1) };
}

/**
 * Threads whose state has the values, in batches. A state is kept by channel and version, so that a step costs what it changes; there is no
 * index over it, and the threads that the other filters leave are looked through. Errors: `invalid_argument` where those are too many.
 */
async function* withState(
  context: ApiContext,
  caller: Caller,
  query: ThreadFilter & Pick<ThreadQuery, 'sortBy' | 'sortOrder'>,
  wanted: Record<string, unknown>,
): AsyncGenerator<Found[]> {
  for (let offset = 0; ; offset += LOOK_PAGE) {
    const threads = await context.threads.searchThreads(caller, { ...query, limit: LOOK_PAGE, offset });
    if (threads.length > 0 && offset >= MAX_LOOKED_THROUGH) throw tooMany();
    const values = await valuesOfAll(context, caller, threads);
    yield threads
      .map((thread, index) => ({ thread, values: values[index] }))
      .filter((one) => contains(one.values, wanted));
    if (threads.length < LOOK_PAGE) return;
  }
}

function tooMany(): ColloquyError {
  const problem = `the states of more than ${MAX_LOOKED_THROUGH} threads would have to be looked through`;
  return new ColloquyError('invalid_argument', `values: ${problem}; narrow the search by metadata, status or ids`, {
    field: 'values',
  });
}

function shown({ thread, values }: Found, { select: fields, extract }: SearchBody): object {
  const record = threadToWire(thread, values);
  const picked = select(record, fields);
  if (!extract) return picked;
  const extracted = Object.entries(extract).map(([name, path]) => [name, valueAt(record, path)] as const);
  return { ...picked, extracted: Object.fromEntries(extracted) };
}

/** The value at `values.messages[-1].content`; a negative index counts from the end. Null where there is none. */
function valueAt(record: Record<string, unknown>, path: string): unknown {
  let value: unknown = record;
  for (const [, key, index] of path.matchAll(/([^.[\]]+)(?=[.[]|$)|\[(-?\d+)\]/g)) {
    if (index !== undefined) value = Array.isArray(value) ? value.at(Number(index)) : undefined;
    else value = isObject(value) && Object.hasOwn(value, key ?? '') ? value[key ?? ''] : undefined;
  }
  return value ?? null;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
