/**
 * Reads and writes recorded workflow histories as JSON files. The JSON has protobuf.js's own form.
 * Temporal's converter is not used, because it works only if npm has installed a single copy of
 * protobuf.js.
 */
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import proto from '@temporalio/proto';
import type { temporal } from '@temporalio/proto';

const FOLDER = resolve('test/histories');

const { History } = proto.temporal.api.history.v1;

export function writeHistory(file: string, history: temporal.api.history.v1.IHistory): void {
  writeFileSync(join(FOLDER, file), `${JSON.stringify(History.fromObject(history).toJSON(), null, 2).replaceAll(`${process.cwd()}/`, "")}\n`);
}

export interface RecordedHistory {
  file: string;
  workflowId: string;
  history: temporal.api.history.v1.IHistory;
}

/**
 * Returns the recorded histories of all folders (`v1`, `v2`, …), each with the id of its workflow.
 */
export function readHistories(): RecordedHistory[] {
  const files = readdirSync(FOLDER, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.json'));
  return files.sort().map((file) => {
    const json = JSON.parse(readFileSync(join(FOLDER, file), 'utf8')) as Record<string, unknown>;
    const history = History.fromObject(json);
    const workflowId = history.events[0]?.workflowExecutionStartedEventAttributes?.workflowId;
    if (!workflowId) throw new Error(`${file} does not begin with the start of a workflow`);
    return { file, workflowId, history };
  });
}
