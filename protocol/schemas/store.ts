import { z } from 'zod';
import { jsonObject, limit, offset, queryBoolean, ttlMinutes } from './common.js';
import { MAX_TEXT, name, text } from './text.js';

/**
 * Maximum number of labels of a namespace. The document of an item contains every prefix of its
 * namespace, and an index has all of them. With 32 labels of 1,000 characters, these prefixes have
 * half a million characters.
 */
const MAX_LABELS = 32;
/**
 * Maximum number of paths in the field `index` of a request to store an item. The texts at these
 * paths are embedded. The same limit is in `memory/texts.ts`.
 */
const MAX_INDEXED = 100;
const label = name.regex(/^[^.:\0]+$/, 'a label is not empty and has no dot, no colon, no NUL');
const namespace = z.array(label).max(MAX_LABELS);
const key = name.min(1);
export const namespaceLabels = namespace;

/**
 * The namespace in the body of any store request. It is checked before the project's auth handler
 * gets the request. The route checks the other fields.
 */
export const anyWithNamespace = z.looseObject({
  namespace: namespace.nullish(),
  namespace_prefix: namespace.nullish(),
  prefix: namespace.nullish(),
});

export const itemPut = z.strictObject({
  namespace: namespace.min(1).refine(([root]) => root !== 'langgraph', 'the root label "langgraph" is reserved'),
  key,
  value: jsonObject,
  /**
   * Paths whose texts are embedded. `false`: no texts. Null or absent: the paths of the store's
   * configuration.
   */
  index: z.union([z.literal(false), z.array(name).max(MAX_INDEXED)]).nullish(),
  ttl: ttlMinutes.nullish(),
});

export const itemDelete = z.strictObject({ namespace: namespace.min(1), key });

/**
 * Query parameters of the request for an item. `namespace` consists of the labels, joined by dots.
 */
export const itemGetQuery = z.strictObject({
  namespace: z
    .string()
    .transform((joined) => joined.split('.'))
    .pipe(namespace),
  key,
  refresh_ttl: queryBoolean.optional(),
});

export const itemSearch = z.strictObject({
  namespace_prefix: namespace,
  filter: jsonObject.nullish(),
  limit: limit.nullish(),
  offset: offset.nullish(),
  query: text(MAX_TEXT).nullish(),
  refresh_ttl: z.boolean().nullish(),
});

export const namespaceList = z.strictObject({
  prefix: namespace.nullish(),
  suffix: namespace.nullish(),
  max_depth: z.int().min(1).nullish(),
  limit: limit.nullish(),
  offset: offset.nullish(),
});
