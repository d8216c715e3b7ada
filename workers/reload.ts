import { dirname, sep } from 'node:path';
import { watch } from 'chokidar';
import type { Logger } from '../telemetry/index.js';

/** Editors write several files at once. The reload waits until this time has passed without a change. */
const QUIET_MS = 200;
const IGNORED = new Set(['node_modules', 'dist', 'build', 'coverage']);

/**
 * Calls `changed` after a file of the project has changed. Folders of packages, of build results,
 * and those whose names begin with a dot are not watched.
 */
export function watchProject(projectFile: string, changed: () => void, logger: Logger): { stop: () => Promise<void> } {
  const folder = dirname(projectFile);
  let timer: NodeJS.Timeout | undefined;
  const isIgnored = (path: string) =>
    path
      .slice(folder.length)
      .split(sep)
      .some((part) => IGNORED.has(part) || part.startsWith('.'));
  const watcher = watch(folder, { ignored: isIgnored, ignoreInitial: true });
  watcher.on('all', (_event, path) => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      logger.info(`${path} has changed: new steps run in new processes`);
      changed();
    }, QUIET_MS);
  });
  watcher.on('error', (error) => logger.warn(`the project cannot be watched: ${String(error)}`));
  return {
    async stop() {
      clearTimeout(timer);
      await watcher.close();
    },
  };
}
