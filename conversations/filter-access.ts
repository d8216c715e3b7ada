import { ColloquyError, NOTHING_REQUIRED, type Assistant, type CronFilters, type Thread } from '../protocol/index.js';
import { assistantNotFound, threadNotFound } from './find.js';
import type { Access } from './access.js';
import { matchesFilters } from './filters.js';

/**
 * The access of the runs that a cron starts. When a cron fires, no client sends a request, so the
 * project's auth cannot be asked. Instead, this class uses the filters that are stored with the
 * cron. The auth returned them earlier.
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

  /**
   * Checks an assistant by the stored filters. They do not apply to a system assistant, because it
   * belongs to the project.
   */
  checkExistingAssistant({ assistantId, metadata, isSystem }: Assistant): void {
    if (isSystem || matchesFilters(metadata, this.filters.assistants)) return;
    throw new ColloquyError('not_found', assistantNotFound(assistantId));
  }

  async filtersToKeep(assistant: Assistant): Promise<CronFilters> {
    this.checkExistingAssistant(assistant);
    return this.filters;
  }

  /**
   * Always returns false: a run reads store items through its graph, and not through this access.
   */
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
