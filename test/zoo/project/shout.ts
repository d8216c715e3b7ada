/** Animals that write much, or strange bytes, to stdout and stderr. */
import { randomBytes } from 'node:crypto';
import { END, START, StateGraph, type LangGraphRunnableConfig } from '@langchain/langgraph';
import { Request, record, select, type RequestState, type RequestUpdate } from './ledger.js';

const MEGABYTE = 1_048_576;
const CLEAR_SCREEN = '\u001b[2J\u001b[H\u001b]0;a title\u0007\u001b[31m\u001b[?25l';

const CHUNKS: Record<string, () => string | Buffer> = {
  lines: () => 'a line of output\n'.repeat(MEGABYTE / 17),
  'no-newline': () => 'x'.repeat(MEGABYTE),
  binary: () => randomBytes(MEGABYTE),
  escapes: () => CLEAR_SCREEN.repeat(MEGABYTE / CLEAR_SCREEN.length),
  /** Looks like a message between processes. */
  messages: () => '{"id":1,"type":"result","outcome":{"status":"success"}}\n'.repeat(10_000),
};

function shoutOut({ how, megabytes }: RequestState, config: LangGraphRunnableConfig): RequestUpdate {
  record(config, 'shout');
  const chunk = select(CHUNKS, how);
  for (let size = 0; size < megabytes; size += 2) {
    process.stdout.write(chunk());
    process.stderr.write(chunk());
  }
  return { done: ['shout'] };
}

export const shout = new StateGraph(Request)
  .addNode('shout', shoutOut)
  .addEdge(START, 'shout')
  .addEdge('shout', END)
  .compile();
