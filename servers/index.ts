/**
 * Embedded Temporal and MongoDB servers for development, tests and the build. Contains no commands
 * of the CLI. Of the other rooms (top-level folders), this room imports only `protocol` and the
 * contract of `workflows`.
 */
export { startServer, startServers } from './embedded-servers.js';
export type { Servers } from './embedded-servers.js';
export { claimDataFolder } from './data-folder.js';
export { logTail, openLog } from './log-file.js';
export type { EmbeddedOptions } from './options.js';
export { DEFAULT_PORTS, LOOPBACK, PortBook, freePort } from './ports.js';
export { writePrivateFile } from './private-files.js';
export type { OnProgress } from './progress.js';
export type { Server } from './server.js';
