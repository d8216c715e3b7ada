import type { Response } from 'express';
import type { Run } from '../../protocol/index.js';

/**
 * Sets the headers with the address of the run. When LangGraph's SDK loses the connection, it
 * reconnects to the address in the header `Location`.
 */
export function setLocation(res: Response, run: Run, view: 'stream' | 'join'): void {
  const path = `/threads/${run.threadId}/runs/${run.runId}`;
  res.setHeader('Content-Location', path);
  res.setHeader('Location', `${path}/${view}`);
}
