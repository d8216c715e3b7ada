/**
 * The scripted model server as a process. Prints its base URL and serves until SIGINT or SIGTERM.
 * node dist/test/support/model-server-main.js [--port 0] [--hiring] [--delay-ms 0]
 */
import { parseArgs } from 'node:util';
import { HIRING_RULE } from './hiring-script.js';
import { lastUserText, type ModelRule } from './model-script.js';
import { ModelServer } from './model-server.js';

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '0' },
    hiring: { type: 'boolean', default: false },
    'delay-ms': { type: 'string', default: '0' },
  },
});
const delayMs = Number(values['delay-ms']);
const base: ModelRule = values.hiring
  ? HIRING_RULE
  : { reply: (request) => ({ text: `Answer to "${lastUserText(request)}".` }) };
const reply = base.reply;
const rule: ModelRule = {
  reply: (request) => ({ ...(typeof reply === 'function' ? reply(request) : reply), delayMs }),
};

const server = await ModelServer.start({ port: Number(values.port), rules: [rule] });
console.log(JSON.stringify({ url: server.url }));
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void server.close());
