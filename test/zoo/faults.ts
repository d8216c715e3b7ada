import type { Animal, Bound, Expected, Outcome } from './animal.js';
import { MARKS, executions, isAlive, overlaps, type Entry } from './ledger.js';

const SHOWN = 200;

/** Returns what differs from the expected outcome, in words. Empty: nothing does. */
export function outcomeFaults({ status, error, message, output }: Expected, outcome: Outcome): string[] {
  const statuses = typeof status === 'string' ? [status] : status;
  return [
    ...(statuses.includes(outcome.status) ? [] : [`status ${outcome.status}, not ${statuses.join(' or ')}`]),
    ...(error === undefined || error === outcome.error ? [] : [`error ${show(outcome.error)}, not ${error}`]),
    ...(isMatch(message, outcome.message) ? [] : [`message ${show(outcome.message)}, not ${show(message)}`]),
    ...Object.entries(output ?? {})
      .filter(([key, value]) => JSON.stringify(value) !== JSON.stringify(outcome.output?.[key]))
      .map(([key, value]) => `${key} is ${show(outcome.output?.[key])}, not ${show(value)}`),
  ];
}

/** Returns what the executions of an animal's nodes, and its processes, have done wrong. */
export function executionFaults(animal: Animal, entries: readonly Entry[], aliveAtEnd: readonly number[]): string[] {
  const counts = executions(entries);
  const nodes = [...new Set([...Object.keys(counts), ...Object.keys(animal.executions)])];
  const alive = [...new Set(entries.filter(({ node }) => MARKS.includes(node)).map(({ pid }) => pid))].filter(isAlive);
  return [
    ...nodes
      .filter((node) => !isWithin(animal.executions[node] ?? 0, counts[node] ?? 0))
      .map((node) => `${node} ran ${counts[node] ?? 0} times, not ${bound(animal.executions[node] ?? 0)}`),
    ...overlaps(entries),
    ...(animal.processes === 'killed' ? alive.map((pid) => `process ${pid} still runs`) : []),
    ...(animal.processes === 'kept' && aliveAtEnd.length === 0 ? ['its process was ended'] : []),
  ];
}

function isWithin(wanted: Bound, count: number): boolean {
  return typeof wanted === 'number' ? count === wanted : count <= wanted.atMost;
}

function bound(wanted: Bound): string {
  return typeof wanted === 'number' ? String(wanted) : `at most ${wanted.atMost}`;
}

function isMatch(wanted: string | RegExp | undefined, message: string | undefined): boolean {
  if (wanted === undefined) return true;
  if (message === undefined) return false;
  return typeof wanted === 'string' ? message === wanted : wanted.test(message);
}

/** Long texts are cut, so that a report can be read. */
function show(value: unknown): string {
  const text = value instanceof RegExp ? String(value) : (JSON.stringify(value) ?? 'nothing');
  return text.length <= SHOWN ? text : `${text.slice(0, SHOWN)}… (${text.length} characters)`;
}
