/**
 * The `colloquy` command: flags, terminal output and supervised processes. A room is a top-level
 * folder of the code. This room may import every other room, and no other room may import it.
 */
export { main } from './main.js';
export { packageRoot, packageVersion } from './package.js';
