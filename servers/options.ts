import type { PortBook } from './ports.js';
import type { OnProgress } from './progress.js';

export interface EmbeddedOptions {
  /** Holds data, ports, process ids and logs. Only its owner can read it. */
  dataDir: string;
  /** Holds downloaded binaries and Python packages; default: the data folder. */
  toolsDir?: string;
  /** Folders to search for `temporal` and `mongod`, in the format of PATH; default: none. */
  searchPath?: string;
  /** 0: any free port. */
  temporalPort?: number;
  uiPort?: number;
  mongodbPort?: number;
  /** Whether to start Temporal without its Web UI. */
  headless?: boolean;
  /**
   * Address of a Temporal server that already runs. It is used, and none is started. The same
   * applies to `mongodbUri`.
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
