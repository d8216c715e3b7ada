import { z } from 'zod';
import type { Access } from '../../conversations/access.js';
import { containsValues, valuesOfThreads } from '../../conversations/thread-values.js';
import { ColloquyError, type Caller, type Thread } from '../../protocol/index.js';
import { threadCount, threadFound, threadSearch } from '../../protocol/schemas/index.js';
import type { ThreadFilter, ThreadQuery } from '../../threads/index.js';
import { finds } from '../auth/rules.js';
import type { ApiContext } from '../context.js';
import { setPagination } from '../http/pagination.js';
import { route } from '../http/route.js';
import { select } from '../http/select.js';
import { threadToWire } from './wire.js';

const DEFAULT_PAGE = 10;
/** A search by values reads this many states at a time, and at most `MAX_STATES` in total. */
const STATE_PAGE = 100;
const MAX_STATES = 10_000;

type SearchBody = z.infer<typeof threadSearch>;

/** A thread, with its values if they were read. */
interface ThreadWithValues {
  thread: Thread;
  values?: unknown;
}

export const searchRoute = route({
  method: 'post',
  path: '/threads/search',
  group: 'threads',
  tag: 'Threads',
  summary: 'Find threads',
  body: threadSearch,
  answers: { 200: z.array(threadFound) },
  action: 'thread.search',
  auth: finds('threads', 'threads:search'),
  async handle(context, { viewer: { caller, access }, body, res }) {
    const query: ThreadQuery = {
      ...threadFilter(body, access),
      limit: body.limit ?? DEFAULT_PAGE,
      offset: body.offset ?? 0,
      sortBy: body.sort_by ?? 'created_at',
      sortOrder: body.sort_order ?? 'desc',
    };
    const { found, total } = body.values
      ? await pageByState(context, caller, query, body.values)
      : await page(context, caller, query, needsValues(body));
    setPagination(res, { offset: query.offset, limit: query.limit, total });
    res.json(found.map((thread) => foundToWire(thread, body)));
  },
});

export const countRoute = route({
  method: 'post',
  path: '/threads/count',
  group: 'threads',
  tag: 'Threads',
  summary: 'Count threads',
  body: threadCount,
  answers: { 200: z.int() },
  action: 'thread.search',
  auth: finds('threads', 'threads:search'),
  async handle(context, { viewer: { caller, access }, body, res }) {
    const filter = threadFilter(body, access);
    if (!body.values) {
      res.json(await context.threads.countThreads(caller, filter));
      return;
    }
    let count = 0;
    for await (const found of withState(context, caller, filter, body.values)) count += found.length;
    res.json(count);
  },
});

function threadFilter(
  { metadata, status, ids }: Pick<SearchBody, 'metadata' | 'status' | 'ids'>,
  { required }: Access,
): ThreadFilter {
  return { required, ...(metadata && { metadata }), ...(status && { status }), ...(ids?.length && { ids }) };
}

function needsValues({ select: fields, extract }: SearchBody): boolean {
  const isState = (path: string) => /^values\b/.test(path);
  return !fields || fields.some(isState) || Object.values(extract ?? {}).some(isState);
}

/**
 * Reads one page of the threads that match the query, and their total number. If more threads
 * follow the page, or if the page begins after the last thread, a second query counts the threads.
 * Otherwise the page itself shows the number.
 */
async function page(
  context: ApiContext,
  caller: Caller,
  query: ThreadQuery,
  withValues: boolean,
): Promise<{ found: ThreadWithValues[]; total: number }> {
  const { limit, offset } = query;
  const more = await context.threads.searchThreads(caller, { ...query, limit: limit + 1 });
  const threads = more.slice(0, limit);
  const values = withValues ? await valuesOfThreads(context, caller, threads) : [];
  const isCountKnown = more.length <= limit && (more.length > 0 || offset === 0);
  const total = isCountKnown ? offset + threads.length : await context.threads.countThreads(caller, query);
  return { found: threads.map((thread, index) => ({ thread, values: values[index] })), total };
}

/**
 * Reads one page of the threads whose state contains the wanted values. Reads one thread more than
 * the page, to know whether there is a next page.
 */
async function pageByState(
  context: ApiContext,
  caller: Caller,
  query: ThreadQuery,
  wanted: Record<string, unknown>,
): Promise<{ found: ThreadWithValues[]; total: number }> {
  const end = query.offset + query.limit;
  const all: ThreadWithValues[] = [];
  for await (const found of withState(context, caller, query, wanted)) {
    all.push(...found);
    if (all.length > end) break;
  }
  return { found: all.slice(query.offset, end), total: Math.min(all.length, end + 1) };
}

/**
 * Yields batches of the threads whose state contains the wanted values. States are stored by
 * channel and version, without an index of values. The search therefore reads the state of every
 * thread that matches the other filters. Errors: `invalid_argument` if there are too many such
 * threads.
 */
async function* withState(
  context: ApiContext,
  caller: Caller,
  query: ThreadFilter & Pick<ThreadQuery, 'sortBy' | 'sortOrder'>,
  wanted: Record<string, unknown>,
): AsyncGenerator<ThreadWithValues[]> {
  for (let offset = 0; ; offset += STATE_PAGE) {
    const threads = await context.threads.searchThreads(caller, { ...query, limit: STATE_PAGE, offset });
    if (threads.length > 0 && offset >= MAX_STATES) throw tooMany();
    const values = await valuesOfThreads(context, caller, threads);
    yield threads
      .map((thread, index) => ({ thread, values: values[index] }))
      .filter((candidate) => containsValues(candidate.values, wanted));
    if (threads.length < STATE_PAGE) return;
  }
}

function tooMany(): ColloquyError {
  const problem = `the search would read the states of more than ${MAX_STATES} threads`;
  return new ColloquyError('invalid_argument', `values: ${problem}; narrow the search by metadata, status or ids`, {
    field: 'values',
  });
}

function foundToWire({ thread, values }: ThreadWithValues, { select: fields, extract }: SearchBody): object {
  const record = threadToWire(thread, values);
  const picked = select(record, fields);
  if (!extract) return picked;
  const extracted = Object.entries(extract).map(([name, path]) => [name, valueAt(record, path)] as const);
  return { ...picked, extracted: Object.fromEntries(extracted) };
}

/**
 * Returns the value at a path such as `values.messages[-1].content`, or null. A negative index
 * counts from the end.
 */
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
