/**
 * The model of all conversations as a process: `model-main.js --seed N --rate R`. Sends its base
 * URL to its parent.
 */
import { parseArgs } from 'node:util';
import { ModelServer } from '../support/model-server.js';
import { chaosRule } from './model-rule.js';

const { values } = parseArgs({ options: { seed: { type: 'string' }, rate: { type: 'string' } } });
const rule = chaosRule({ seed: Number(values.seed), rate: Number(values.rate) });
const server = await ModelServer.start({ rules: [rule] });
// The server records every exchange, and this process never reads them, so they are dropped.
const forget = setInterval(() => (server.exchanges.length = 0), 1_000);
process.send?.({ url: server.url });
process.once('disconnect', () => {
  clearInterval(forget);
  void server.close();
});
