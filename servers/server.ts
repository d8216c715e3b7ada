import { rmSync } from 'node:fs';
import { startChild, untilReady } from './child.js';
import type { Child, ChildSpec } from './child.js';
import { endLeftover, writePidFile } from './pid-file.js';

/** A running Temporal or MongoDB server, started by this process or by somebody else. */
export interface Server {
  /** Address for clients: `host:port` of Temporal, or the connection string of MongoDB. */
  readonly address: string;
  /** Name and version of the server, for messages to people. */
  readonly label: string;
  /** Present only for a server that we started. */
  readonly process?: ServerProcess;
  stop(): Promise<void>;
}

/** Controls of a server process that we started. */
export interface ServerProcess {
  readonly pid: number;
  /** Sends SIGKILL; resolves after the process has ended. */
  kill(): Promise<void>;
  /** Sends SIGSTOP. */
  suspend(): void;
  /** Sends SIGCONT. */
  resume(): void;
  /**
   * Starts the process again on the same port and data, after killing it if it still runs. Resolves
   * when the server is ready.
   */
  restart(): Promise<void>;
  /**
   * Adds a listener. It is called if the process ends although none of `kill`, `restart` and `stop`
   * was called.
   */
  onCrash(listener: (ending: string) => void): void;
}

export interface OwnedServer {
  spec: ChildSpec;
  address: string;
  label: string;
  pidFile: string;
  /** Part of the server's command line that no other process has: the path of its data. */
  mark: string;
  probe: () => Promise<void>;
  readyTimeoutMs: number;
}

/**
 * Starts a server. Before that, ends a server that still runs on the same data although the process
 * that started it is gone. Records the process id of the new server, so that no second server uses
 * its data.
 */
export async function startOwned(options: OwnedServer): Promise<Server> {
  await endLeftover(options.pidFile, options.spec.name);
  let child = await launch(options);
  let isEndExpected = false;
  const listeners: ((ending: string) => void)[] = [];
  const watch = (watched: Child) => {
    void watched.ended.then((ending) => {
      if (!isEndExpected && watched === child) for (const listener of listeners) listener(ending);
    });
  };
  watch(child);
  const kill = async () => {
    isEndExpected = true;
    child.signal('SIGKILL');
    await child.ended;
  };
  const serverProcess: ServerProcess = {
    get pid() {
      return child.pid;
    },
    kill,
    suspend: () => child.signal('SIGSTOP'),
    resume: () => child.signal('SIGCONT'),
    async restart() {
      await kill();
      child = await launch(options);
      isEndExpected = false;
      watch(child);
    },
    onCrash: (listener) => void listeners.push(listener),
  };
  return {
    address: options.address,
    label: options.label,
    process: serverProcess,
    async stop() {
      isEndExpected = true;
      await child.stop();
      rmSync(options.pidFile, { force: true });
    },
  };
}

async function launch(options: OwnedServer): Promise<Child> {
  const child = startChild(options.spec);
  try {
    writePidFile(options.pidFile, child.pid, options.mark);
    await untilReady(options.spec, child, options.probe, options.readyTimeoutMs);
    return child;
  } catch (error) {
    await child.stop(0);
    rmSync(options.pidFile, { force: true });
    throw error;
  }
}
