import type { Response } from 'express';
import { errorCode } from '../../protocol/index.js';
import type { ApiContext } from '../context.js';
import { answerTo } from './errors.js';

/**
 * Answers with JSON text that may take long. Sends a newline at an interval until the text is
 * ready, so that no proxy closes the connection as idle. If `answer` resolves to undefined, there
 * is no text to send, and the connection is destroyed.
 * The status cannot change after the first byte. If the error is `unavailable`, the connection is
 * therefore destroyed. Any other failure is sent as `__error__`, as LangGraph's servers report the
 * failure of a run.
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
