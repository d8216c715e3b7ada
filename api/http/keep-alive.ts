import type { Response } from 'express';
import { errorCode } from '../../protocol/index.js';
import type { ApiContext } from '../context.js';
import { answerTo } from './errors.js';

/**
 * Sends a JSON answer that may take long. Until the text of the answer is ready, sends newlines at
 * an interval, so that no proxy closes the connection as idle.
 * The status 200 is sent first, so an error cannot change it. If `answer` resolves to undefined or
 * rejects with `unavailable`, destroys the connection. Sends any other error as `__error__` in the
 * JSON, as LangGraph's own servers report a failed run.
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
