/**
 * Runs the ledger, the record of what really happened (see {@link LedgerServer}), as a separate
 * process: `ledger-main.js --file F --seed N --rate R`. Sends the URL of the ledger to the parent
 * process. The faults of the chaos program never hit this process.
 */
import { parseArgs } from 'node:util';
import { LedgerServer } from './ledger.js';

const { values } = parseArgs({
  options: { file: { type: 'string', default: '' }, seed: { type: 'string' }, rate: { type: 'string' } },
});
const ledger = await LedgerServer.start({ file: values.file, seed: Number(values.seed), rate: Number(values.rate) });
process.send?.({ url: ledger.url });
process.once('disconnect', () => void ledger.close());
