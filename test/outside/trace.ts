import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

interface Line {
  event: string;
  run: string;
  parent?: string;
  name?: string;
  thread?: string;
  error?: string;
}

/** A run of LangChain: of a graph, a node, a model, a tool or a chain. */
interface Run {
  parent: string | undefined;
  title: string;
  thread: string | undefined;
  starts: number;
  ends: string[];
  children: Run[];
}

/**
 * Returns the callbacks that the recorder of `graphs/recorder.ts` got for a thread: one line for
 * each run of LangChain, with its name and how it ended, below the line of its parent. A run that
 * has no parent is a root. LangGraph makes one root a turn.
 */
export function callsOf(folder: string, threadId: string): string[] {
  const lines = readdirSync(folder).flatMap((file) => readLines(join(folder, file)));
  const runs = new Map<string, Run>();
  for (const { event, run, parent, name, thread, error } of lines) {
    const [what, kind = ''] = event.split(' ');
    const known = runs.get(run) ?? { parent, title: `${kind} ${name}`, thread, starts: 0, ends: [], children: [] };
    runs.set(run, known);
    if (what === 'start') known.starts += 1;
    else known.ends.push(error ?? event);
  }
  for (const run of runs.values()) runs.get(run.parent ?? '')?.children.push(run);
  const roots = [...runs.values()].filter(({ parent, thread }) => !runs.has(parent ?? '') && thread === threadId);
  return roots.flatMap((root) => show(root, 0));
}

function show({ title, starts, ends, parent, children }: Run, depth: number): string[] {
  const notes = [
    ...(starts === 1 ? [] : [`started ${starts} times`]),
    ...(depth === 0 && parent !== undefined ? ['its parent did not start'] : []),
    ...(ends.length === 0 ? ['never ended'] : ends),
  ];
  return [`${'  '.repeat(depth)}${title}: ${notes.join(', ')}`, ...children.flatMap((one) => show(one, depth + 1))];
}

function readLines(file: string): Line[] {
  const texts = readFileSync(file, 'utf8').split('\n').filter(Boolean);
  return texts.map((text) => JSON.parse(text) as Line);
}

/** The lines of {@link callsOf} that are about the roots. */
export function rootsOf(calls: readonly string[] = []): string[] {
  return calls.filter((line) => !line.startsWith(' '));
}
