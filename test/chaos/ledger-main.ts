/**
 * Runs the ledger as a process of its own: `ledger-main.js --file F --seed N --rate R`. It sends
 * its URL to the parent process. Faults never hit it.
 */
import { parseArgs } from 'node:util';
import { LedgerServer } from './ledger.js';

const { values } = parseArgs({
  options: { file: { type: 'string', default: '' }, seed: { type: 'string' }, rate: { type: 'string' } },
});
const ledger = await LedgerServer.start({ file: values.file, seed: Number(values.seed), rate: Number(values.rate) });
process.send?.({ url: ledger.url });
process.once('disconnect', () => void ledger.close());
