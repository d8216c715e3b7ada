import { z } from 'zod';
import { limit, offset, queryBoolean, sortOrder, uuid } from './common.js';
import { config } from './config.js';
import { metadata, searchedMetadata } from './metadata.js';
import { MAX_SEARCHED_NAME, MAX_TEXT, name, text } from './text.js';

const given = {
  config: config.nullish(),
  context: z.unknown().optional(),
  metadata: metadata.nullish(),
  name: name.nullish(),
  description: text(MAX_TEXT).nullish(),
};

export const assistantCreate = z.strictObject({
  ...given,
  assistant_id: uuid.nullish(),
  graph_id: name.min(1),
  if_exists: z.enum(['raise', 'do_nothing']).nullish(),
});

export const assistantPatch = z.strictObject({ ...given, graph_id: name.min(1).nullish() });

export const assistantDeleteQuery = z.strictObject({ delete_threads: queryBoolean.default(false) });

const field = z.enum([
  'assistant_id',
  'graph_id',
  'name',
  'description',
  'config',
  'context',
  'metadata',
  'version',
  'created_at',
  'updated_at',
]);

export const assistantSearch = z.strictObject({
  graph_id: name.nullish(),
  name: text(MAX_SEARCHED_NAME).nullish(),
  metadata: searchedMetadata.nullish(),
  limit: limit.nullish(),
  offset: offset.nullish(),
  sort_by: z.enum(['assistant_id', 'graph_id', 'name', 'created_at', 'updated_at']).nullish(),
  sort_order: sortOrder.nullish(),
  select: z.array(field).nullish(),
});

export const assistantCount = assistantSearch.pick({ graph_id: true, name: true, metadata: true });

export const assistantVersions = assistantSearch.pick({ metadata: true, limit: true, offset: true });

export const assistantLatest = z.strictObject({ version: z.int().min(1) });

/**
 * Number of levels of subgraphs in the drawing of a graph: false for none, true for all, or a
 * number.
 */
const xray = z.union([
  z.enum(['true', 'yes', 'false', 'no']).transform((value) => value === 'true' || value === 'yes'),
  z
    .string()
    .regex(/^\d{1,3}$/, 'expected a number of levels')
    .transform(Number),
]);

export const assistantGraphQuery = z.strictObject({ xray: xray.default(false) });

/**
 * Body of `POST /assistants/{id}/schemas`. Its config is merged into the assistant's config and
 * takes precedence. If the graph comes from a factory, the factory gets the merged config.
 */
export const assistantSchemasBody = z.strictObject({ config: config.nullish() });

export const assistantSubgraphsQuery = z.strictObject({ recurse: queryBoolean.default(false) });
