#!/usr/bin/env node
import { main } from '../dist/cli/main.js';

process.exitCode = await main(process.argv.slice(2));
// Everything is closed by now; a handle that a library left open must not keep the terminal.
setTimeout(() => process.exit(), 500).unref();
