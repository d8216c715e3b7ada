/**
 * The `colloquy` command: flags, terminal output and supervised processes. It may use every room;
 * no room may use it.
 */
export { main } from './main.js';
export { packageRoot, packageVersion } from './package.js';
