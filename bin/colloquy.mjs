#!/usr/bin/env node
import { main } from '../dist/cli/index.js';

process.exitCode = await main(process.argv.slice(2));
// Everything is closed now. A handle that a library left open must not keep the process alive.
setTimeout(() => process.exit(), 500).unref();
