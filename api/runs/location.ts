import type { Response } from 'express';
import type { Run } from '../../protocol/index.js';

/** Sets where the run is. LangGraph's SDK reconnects to `Location` after a lost connection. */
export function setLocation(res: Response, run: Run, view: 'stream' | 'join'): void {
  const path = `/threads/${run.threadId}/runs/${run.runId}`;
  res.setHeader('Content-Location', path);
  res.setHeader('Location', `${path}/${view}`);
}
