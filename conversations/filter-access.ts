import { ColloquyError, NOTHING_REQUIRED, type Assistant, type CronFilters, type Thread } from '../protocol/index.js';
import { assistantNotFound, threadNotFound } from './find.js';
import type { Access } from './access.js';
import { matchesFilters } from './filters.js';

/**
 * The access of a run that a schedule starts. Its creator cannot be asked, so the stored filters
 * apply.
 */
export class FilterAccess implements Access {
  readonly hasProjectAuth = true;
  readonly userConfig = {};
  readonly required = NOTHING_REQUIRED;

  constructor(private readonly filters: CronFilters) {}

  checkThread({ threadId, metadata }: Thread): void {
    if (matchesFilters(metadata, this.filters.threads)) return;
    throw new ColloquyError('not_found', threadNotFound(threadId));
  }

  async checkAssistant(found: Assistant | undefined): Promise<void> {
    if (found !== undefined) this.checkExistingAssistant(found);
  }

  /** A system assistant belongs to the project, so no filter applies. */
  checkExistingAssistant({ assistantId, metadata, isSystem }: Assistant): void {
    if (isSystem || matchesFilters(metadata, this.filters.assistants)) return;
    throw new ColloquyError('not_found', assistantNotFound(assistantId));
  }

  async filtersToKeep(assistant: Assistant): Promise<CronFilters> {
    this.checkExistingAssistant(assistant);
    return this.filters;
  }

  /** Runs read the store through their graph, not through this access. */
  seesItem(): boolean {
    return false;
  }

  renewFilters(): Promise<never> {
    return this.recheckThread();
  }

  renew(): Promise<never> {
    return this.recheckThread();
  }

  async recheckThread(): Promise<never> {
    throw new ColloquyError('forbidden', 'Forbidden: a scheduled run has no user whose access can be checked again');
  }
}
