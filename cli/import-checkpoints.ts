import { SHIPPED_PROJECT, loadProject } from '../agents/index.js';
import { anonymousOf } from '../api/context.js';
import { standingOf } from '../conversations/edit-state.js';
import { assistantDefaultsOf, loadConfig } from '../config/index.js';
import { ColloquyError } from '../protocol/index.js';
import { createStateAccess } from '../steps/index.js';
import { importThreads, type ImportedThread } from '../threads/index.js';
import { connectMongo } from '../database/index.js';
import { openStores } from '../workers/index.js';
import { UsageError, type ParsedFlags } from './flags.js';
import { printable } from './printable.js';

/**
 * Imports the threads that LangGraph's own MongoDB saver has stored. Returns the exit code, which
 * is 1 if any thread was refused.
 */
export async function runImport({ text, variables }: ParsedFlags): Promise<number> {
  const database = required(text, 'source-database');
  const name = required(text, 'assistant');
  const config = loadConfig(variables);
  const closers: (() => Promise<void>)[] = [];
  try {
    const stores = await openStores(config);
    closers.push(() => stores.close());
    const source = await connectMongo(text['source-uri'] ?? config.mongo.uri);
    closers.push(() => source.close());
    const project = await loadProject(config.projectPath ?? SHIPPED_PROJECT);
    const caller = anonymousOf(config.tenant);
    const defaults = { ...config.assistants, ...assistantDefaultsOf(project.environment) };
    const graphs = project.graphs.map((graph) => ({ ...graph, ...defaults[graph.graphId] }));
    await stores.assistants.registerGraphs(caller, graphs);
    const { assistantId, graphId } = await stores.assistants.getAssistant(caller, name);
    if (!graphs.some((graph) => graph.graphId === graphId)) {
      throw new ColloquyError('invalid_argument', `graph ${graphId} of assistant ${name} is not in ${project.path}`);
    }
    const states = createStateAccess({ ...stores, project, lastConfig: () => Promise.resolve(undefined) });
    const threads = importThreads({
      client: stores.client,
      db: stores.db,
      caller,
      source: {
        db: source.db(database),
        checkpoints: text['source-checkpoints'] ?? 'checkpoints',
        writes: text['source-writes'] ?? 'checkpoint_writes',
      },
      metadata: { graph_id: graphId, assistant_id: assistantId },
      settledState: async (threadId) => standingOf(await states.getState(caller, graphId, threadId)),
    });
    return await report(threads);
  } finally {
    for (const close of closers.reverse()) await close();
  }
}

async function report(threads: AsyncIterable<ImportedThread>): Promise<number> {
  const count = { imported: 0, existing: 0, refused: 0, checkpoints: 0, writes: 0 };
  for await (const thread of threads) {
    count[thread.outcome] += 1;
    const { sourceId, threadId } = thread;
    const name = sourceId === threadId ? threadId : printable(`${sourceId} as ${threadId}`);
    if (thread.outcome === 'refused') console.error(`refused   ${name}: ${printable(thread.reason)}`);
    if (thread.outcome !== 'imported') continue;
    const { checkpoints, writes } = thread.state;
    count.checkpoints += checkpoints;
    count.writes += writes;
    console.log(`imported  ${name}: ${checkpoints} checkpoints, ${writes} pending writes`);
  }
  const { imported, existing, refused, checkpoints, writes } = count;
  const summary = `${imported} threads with ${checkpoints} checkpoints and ${writes} pending writes`;
  console.log(`imported ${summary}; ${existing} already existed; ${refused} refused`);
  return refused === 0 ? 0 : 1;
}

function required(text: ParsedFlags['text'], flag: string): string {
  const value = text[flag];
  if (value !== undefined && value !== '') return value;
  throw new UsageError(`--${flag} is missing; see colloquy import-checkpoints --help`);
}
