/** The `colloquy` command: its flags, output and supervised processes. Knows every room; no room may know it. */
export { main } from './main.js';
export { packageRoot, packageVersion } from './package.js';
