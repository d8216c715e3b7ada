import type { PortBook } from './ports.js';
import type { OnProgress } from './progress.js';

export interface EmbeddedOptions {
  /** Folder for data, port numbers, process ids and logs. Only its owner can read it. */
  dataDir: string;
  /** Folder for downloaded binaries and Python packages; default: the data folder. */
  toolsDir?: string;
  /** Folders to search for `temporal` and `mongod`, in the format of PATH; default: none. */
  searchPath?: string;
  /** Port number for Temporal. 0: any free port. The same applies to the next two fields. */
  temporalPort?: number;
  uiPort?: number;
  mongodbPort?: number;
  /** Whether to start Temporal without its Web UI. */
  headless?: boolean;
  /**
   * Address of a Temporal server that already runs. It is used, and no Temporal server is started.
   * `mongodbUri` does the same for MongoDB.
   */
  temporalAddress?: string;
  mongodbUri?: string;
  onProgress?: OnProgress;
}

/** The options with all defaults filled in. */
export interface ServerOptions extends EmbeddedOptions {
  toolsDir: string;
  searchPath: string;
  ports: PortBook;
  onProgress: OnProgress;
}
