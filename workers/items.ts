import type { ReadProject } from '../agents/index.js';
import { createItemStore, toEmbed } from '../memory/index.js';
import type { Embedder, ItemStore } from '../memory/index.js';
import { guarded } from '../policy/index.js';
import { ColloquyError } from '../protocol/index.js';
import { ITEM_RULES } from './port-rules.js';
import type { Stores } from './stores.js';

/**
 * Opens the item store, in which LangGraph's `BaseStore` keeps its items. The project's settings
 * say how long items live and which embedder is used. Errors: `invalid_argument` if the embedder
 * cannot be used.
 */
export async function openItems(
  { db, authorize }: Pick<Stores, 'db' | 'authorize'>,
  project: Pick<ReadProject, 'settings' | 'importExport'>,
): Promise<ItemStore> {
  const { defaultTtl, refreshOnRead } = project.settings.store;
  const index = await loadEmbedder(project);
  const items = createItemStore({
    db,
    ttl: {
      ...(defaultTtl !== undefined && { defaultMinutes: defaultTtl }),
      ...(refreshOnRead !== undefined && { refreshOnRead }),
    },
    ...(index !== undefined && { index }),
  });
  return guarded(items, ITEM_RULES, authorize);
}

async function loadEmbedder({
  settings,
  importExport,
}: Pick<ReadProject, 'settings' | 'importExport'>): Promise<Embedder | undefined> {
  const { index } = settings.store;
  if (index === undefined) return undefined;
  const embed = toEmbed(await importExport('store.index.embed', index.embed));
  if (embed === undefined) {
    throw new ColloquyError(
      'invalid_argument',
      `store.index.embed: ${index.embed.path} is neither a function nor an object with embedDocuments`,
      { field: 'store.index.embed' },
    );
  }
  return { id: `${index.embed.path} (${index.dims})`, dims: index.dims, fields: index.fields, embed };
}
