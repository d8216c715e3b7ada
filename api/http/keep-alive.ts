import type { Response } from 'express';
import { errorCode } from '../../protocol/index.js';
import type { ApiContext } from '../context.js';
import { answerTo } from './errors.js';

/**
 * Answers with JSON text that may take long: newlines come first, one at an interval, so that nobody between takes the connection for dead.
 * `undefined`: there is nobody to answer. A failure after the first byte cannot change the status any more: an outage cuts the
 * connection, anything else is told as LangGraph's servers tell the failure of a run.
 */
export async function answerSlowly(
  context: ApiContext,
  res: Response,
  answer: Promise<string | undefined>,
): Promise<void> {
  res.status(200);
  res.setHeader('Content-Type', 'application/json; charset=utf-8');
  res.flushHeaders();
  const timer = setInterval(() => {
    if (!res.writableNeedDrain) res.write('\n');
  }, context.options.keepAliveMs);
  try {
    const value = await answer;
    if (value === undefined) res.destroy();
    else res.end(value);
  } catch (error) {
    context.report(error, 'answer of a waiting request');
    if (errorCode(error) === 'unavailable') res.destroy();
    else
      res.end(JSON.stringify({ __error__: { error: errorCode(error) ?? 'Error', message: answerTo(error).message } }));
  } finally {
    clearInterval(timer);
  }
}
