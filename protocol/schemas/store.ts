import { z } from 'zod';
import { jsonObject, limit, offset, queryBoolean } from './common.js';

const label = z.string().regex(/^[^.:\0]+$/, 'a label is not empty and has no dot, no colon, no NUL');
const namespace = z.array(label);
export const namespaceLabels = namespace;

/** A request to the store whose namespace a project's auth is going to see and may change, before it is checked as what it is. */
export const anyWithNamespace = z.looseObject({
  namespace: namespace.nullish(),
  namespace_prefix: namespace.nullish(),
  prefix: namespace.nullish(),
});
const minutes = z.number().positive();

export const itemPut = z.strictObject({
  namespace: namespace.min(1).refine(([root]) => root !== 'langgraph', 'the root label "langgraph" is reserved'),
  key: z.string().min(1),
  value: jsonObject,
  /** Null, like absence: as the store is configured. */
  index: z.union([z.literal(false), z.array(z.string())]).nullish(),
  ttl: minutes.nullish(),
});

export const itemDelete = z.strictObject({ namespace: namespace.min(1), key: z.string().min(1) });

/** The labels of a namespace are joined by dots. */
export const itemGetQuery = z.strictObject({
  namespace: z
    .string()
    .transform((joined) => joined.split('.'))
    .pipe(namespace),
  key: z.string().min(1),
  refresh_ttl: queryBoolean.optional(),
});

export const itemSearch = z.strictObject({
  namespace_prefix: namespace,
  filter: jsonObject.nullish(),
  limit: limit.nullish(),
  offset: offset.nullish(),
  query: z.string().nullish(),
  refresh_ttl: z.boolean().nullish(),
});

export const namespaceList = z.strictObject({
  prefix: namespace.nullish(),
  suffix: namespace.nullish(),
  max_depth: z.int().min(1).nullish(),
  limit: limit.nullish(),
  offset: offset.nullish(),
});
