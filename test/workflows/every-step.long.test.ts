/** The tests of all modes, with a workflow that continues as new after every step of a run. */
import { LONG_MODE_VARIABLE } from './harness.js';

process.env[LONG_MODE_VARIABLE] = 'true';
await import('./answers.test.js');
await import('./control.test.js');
await import('./delayed.test.js');
await import('./inject.test.js');
await import('./messages.test.js');
await import('./turns.test.js');
await import('./webhooks.test.js');
