import {
  BaseStore,
  validateNamespace,
  type GetOperation,
  type ListNamespacesOperation,
  type Operation,
  type OperationResults,
  type PutOperation,
  type SearchOperation,
} from '@langchain/langgraph-checkpoint';
import type { Caller } from '../protocol/index.js';
import type { ItemStore, PutItem } from './ports.js';

const DEFAULT_PAGE = 10;

/**
 * Implements LangGraph's `BaseStore` for one caller. Reads and writes only that caller's tenant.
 */
export class GraphStore extends BaseStore {
  readonly #items: ItemStore;
  readonly #caller: Caller;

  constructor(items: ItemStore, caller: Caller) {
    super();
    this.#items = items;
    this.#caller = caller;
  }

  /**
   * Executes all reads of a batch, then all its writes. So the reads return the items as they were
   * before the batch. If a batch writes a key several times, the last write wins.
   */
  override async batch<Op extends Operation[]>(operations: Op): Promise<OperationResults<Op>> {
    for (const operation of operations) {
      if ('namespace' in operation) validateNamespace(operation.namespace, { allowReservedRoot: true });
    }
    const results = await Promise.all(operations.map((operation) => this.#read(operation)));
    await this.#write(operations.filter(isPut));
    return results as OperationResults<Op>;
  }

  async #read(operation: Operation): Promise<unknown> {
    if (isPut(operation)) return null;
    if (isSearch(operation)) {
      const { namespacePrefix, filter, query, limit = DEFAULT_PAGE, offset = 0 } = operation;
      return this.#items.searchItems(this.#caller, {
        namespacePrefix,
        limit,
        offset,
        ...(filter !== undefined && { filter }),
        ...(query !== undefined && { query }),
      });
    }
    if (isGet(operation)) return this.#items.getItem(this.#caller, operation.namespace, operation.key);
    const { matchConditions, maxDepth, limit, offset } = operation;
    return this.#items.listNamespaces(this.#caller, {
      limit,
      offset,
      ...(matchConditions !== undefined && { conditions: matchConditions }),
      ...(maxDepth !== undefined && { maxDepth }),
    });
  }

  async #write(operations: PutOperation[]): Promise<void> {
    const last = new Map(
      operations.map((operation) => [JSON.stringify([operation.namespace, operation.key]), operation]),
    );
    const puts: PutItem[] = [];
    for (const { namespace, key, value, index } of last.values()) {
      if (value === null) await this.#items.deleteItem(this.#caller, namespace, key);
      // If the index is missing, LangGraph passes undefined or null, although the type has no null.
      else puts.push({ namespace, key, value, ...(index !== undefined && index !== null && { index }) });
    }
    if (puts.length > 0) await this.#items.putItems(this.#caller, puts);
  }

  toJSON(): string {
    return '[GraphStore]';
  }
}

function isPut(operation: Operation): operation is PutOperation {
  return 'value' in operation;
}

function isSearch(operation: Operation): operation is SearchOperation {
  return 'namespacePrefix' in operation;
}

function isGet(operation: GetOperation | ListNamespacesOperation): operation is GetOperation {
  return 'key' in operation;
}
