import type { AddressInfo } from 'node:net';
import type { Server } from 'node:http';
import { Client } from '@langchain/langgraph-sdk';
import { Client as TemporalClient, Connection } from '@temporalio/client';
import { createApiServer, type ApiDependencies, type ApiOptions } from '../../api/index.js';
import { createSchedules } from '../../conversations/index.js';
import { type Schedules } from '../../conversations/ports.js';
import { createItemStore } from '../../memory/index.js';
import { ColloquyError, DEFAULT_TENANT, type Caller, type ErrorCode, type Run } from '../../protocol/index.js';
import { createGraphDescriptions } from '../../steps/index.js';
import type { StateAccess, ThreadState } from '../../steps/ports.js';
import { DESCRIBED_PROJECT } from './described-graphs.js';
import { openStores, type Stores } from '../../workers/stores.js';
import { ScriptedConversations } from './scripted-conversations.js';

export const CHECKPOINT = '1ef00000-0000-6000-8000-000000000001';

/** Fake access to the states of threads. A test puts the states into `states`. */
export class FakeStates implements StateAccess {
  readonly states = new Map<string, ThreadState>();
  readonly requests: unknown[] = [];
  finalValuesOf: (run: Run) => unknown = () => ({ done: true });

  /**
   * Ids of checkpoints that exist in every thread. In addition, a thread has the checkpoint of its
   * entry in `states`.
   */
  readonly checkpoints = new Set([CHECKPOINT]);

  hasCheckpoint: StateAccess['hasCheckpoint'] = async (_caller, threadId, { checkpointId }) =>
    this.checkpoints.has(checkpointId) || this.states.get(threadId)?.checkpoint?.checkpoint_id === checkpointId;

  /** If set, reading the state or the history of this thread fails with this error. */
  failure?: { threadId: string } & ({ code: ErrorCode } | { error: unknown });

  getState: StateAccess['getState'] = async (_caller, _graphId, threadId, options) => {
    this.requests.push(options);
    this.#failFor(threadId);
    return this.states.get(threadId) ?? EMPTY_STATE;
  };

  getHistory: StateAccess['getHistory'] = async (_caller, _graphId, threadId, options) => {
    this.requests.push(options);
    this.#failFor(threadId);
    const state = this.states.get(threadId);
    return state ? [state] : [];
  };

  updateState: StateAccess['updateState'] = async (_caller, _graphId, threadId, update) => {
    this.requests.push(update);
    return { checkpoint: { thread_id: threadId, checkpoint_id: CHECKPOINT, checkpoint_ns: '', checkpoint_map: null } };
  };

  updateStates: StateAccess['updateStates'] = async (_caller, _graphId, threadId, supersteps) => {
    this.requests.push(supersteps);
    return { checkpoint: { thread_id: threadId, checkpoint_id: CHECKPOINT, checkpoint_ns: '', checkpoint_map: null } };
  };

  finalValues: StateAccess['finalValues'] = async (_caller, run) => this.finalValuesOf(run);

  #failFor(threadId: string): void {
    if (this.failure?.threadId !== threadId) return;
    if ('error' in this.failure) throw this.failure.error;
    throw new ColloquyError(this.failure.code, 'as the test wants');
  }
}

const EMPTY_STATE: ThreadState = {
  values: {},
  next: [],
  tasks: [],
  metadata: null,
  created_at: null,
  checkpoint: null,
  parent_checkpoint: null,
  interrupts: [],
};

export function stateWith(threadId: string, values: Record<string, unknown>): ThreadState {
  return {
    ...EMPTY_STATE,
    values,
    checkpoint: { thread_id: threadId, checkpoint_id: CHECKPOINT, checkpoint_ns: '', checkpoint_map: null },
  };
}

/** The caller that the API assumes for a request without credentials. */
export const ANONYMOUS_CALLER: Caller = {
  tenant: DEFAULT_TENANT,
  principal: { kind: 'user', id: 'anonymous' },
  onBehalfOf: [],
};

/**
 * Serves the API over HTTP. The stores of records and the event log are real. The states of threads
 * and the conversation workflows are fakes: a test decides what they return.
 */
export class ApiFixture {
  readonly errors: unknown[] = [];
  readonly states = new FakeStates();
  readonly conversations: ScriptedConversations;
  /** Creates real Schedules in Temporal. No worker runs the workflows that the Schedules start. */
  readonly schedules: Schedules;
  readonly temporal: TemporalClient;
  readonly #connection = Connection.lazy({ address: process.env['COLLOQUY_TEST_TEMPORAL_ADDRESS'] ?? '' });
  readonly #servers: { server: Server; shutdown: AbortController }[] = [];

  private constructor(readonly stores: Stores) {
    this.conversations = new ScriptedConversations(stores.threads, stores.events);
    this.temporal = new TemporalClient({ connection: this.#connection });
    this.schedules = createSchedules({ client: this.temporal, taskQueue: 'nobody', timeoutMs: 10_000 });
  }

  static async start(name: string): Promise<ApiFixture> {
    const uri = process.env['COLLOQUY_TEST_MONGODB_URI'];
    if (!uri) throw new ColloquyError('unavailable', 'COLLOQUY_TEST_MONGODB_URI is not set');
    const mongo = { uri, isGiven: true, database: `${name}_${process.pid}` };
    const stores = await openStores({ mongo, retention: { eventsMs: 3_600_000 } });
    await stores.assistants.registerGraphs(ANONYMOUS_CALLER, [{ graphId: 'echo' }, { graphId: 'other' }]);
    return new ApiFixture(stores);
  }

  dependencies(): ApiDependencies {
    return {
      ...this.stores,
      items: createItemStore({ db: this.stores.db }),
      states: this.states,
      graphs: createGraphDescriptions({ project: DESCRIBED_PROJECT }),
      conversations: this.conversations,
      schedules: this.schedules,
      info: { version: '0.0.0', langgraphVersion: '1.7.3' },
      report: (error) => this.errors.push(error),
    };
  }

  /**
   * Starts an API server and returns its URL. All servers of this fixture share everything except
   * their HTTP connections.
   */
  async listen(options: Partial<ApiOptions> = {}, others: Partial<ApiDependencies> = {}): Promise<string> {
    const shutdown = new AbortController();
    const deps = { ...this.dependencies(), ...others, shutdown: shutdown.signal, options };
    const server = createApiServer(deps);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    this.#servers.push({ server, shutdown });
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  client(apiUrl: string): Client {
    return new Client({ apiUrl, apiKey: null });
  }

  /** Stops the oldest running server, as a process stops on SIGTERM. */
  async stopFirst(): Promise<void> {
    const first = this.#servers.shift();
    if (!first) return;
    first.shutdown.abort();
    first.server.closeAllConnections();
    await new Promise((resolve) => first.server.close(resolve));
  }

  async stop(): Promise<void> {
    while (this.#servers.length > 0) await this.stopFirst();
    await this.conversations.idle();
    await this.stores.db.dropDatabase();
    await this.stores.close();
    await this.#connection.close();
  }
}
