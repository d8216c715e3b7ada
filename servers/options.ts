import type { PortBook } from './ports.js';
import type { OnProgress } from './progress.js';

export interface EmbeddedOptions {
  /** Holds data, ports, process ids and logs. Only its owner can read it. */
  dataDir: string;
  /** Holds downloaded binaries and Python packages; default: the data folder. */
  toolsDir?: string;
  /** Folders to search for `temporal` and `mongod`, in the format of PATH; default: none. */
  searchPath?: string;
  /** 0 means a free port. */
  temporalPort?: number;
  uiPort?: number;
  mongodbPort?: number;
  /** Without the Temporal Web UI. */
  headless?: boolean;
  /** Addresses of servers that already run. They are used, and none is started. */
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
