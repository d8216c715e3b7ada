/**
 * Runs the server that simulates the language model of all conversations, as a process of its own:
 * `model-main.js --seed N --rate R`. It sends its base URL to the parent process.
 */
import { parseArgs } from 'node:util';
import { ModelServer } from '../support/model-server.js';
import { chaosRule } from './model-rule.js';

const { values } = parseArgs({ options: { seed: { type: 'string' }, rate: { type: 'string' } } });
const rule = chaosRule({ seed: Number(values.seed), rate: Number(values.rate) });
const server = await ModelServer.start({ rules: [rule] });
// The server records every exchange in memory. Nobody reads these records here, so they are
// dropped.
const forget = setInterval(() => (server.exchanges.length = 0), 1_000);
process.send?.({ url: server.url });
process.once('disconnect', () => {
  clearInterval(forget);
  void server.close();
});
