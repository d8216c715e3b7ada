/** Embedded Temporal and MongoDB servers for development and tests, and the build. Knows no room but their contracts. */
export { startServer, startServers } from './embedded-servers.js';
