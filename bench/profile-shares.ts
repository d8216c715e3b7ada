/** Reads from CPU profiles how much CPU time the code of each owner used in a process. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/**
 * A period in which a bench runs only identical turns, one after another. `from` and `to` are times
 * of the machine's monotonic clock, in ms.
 */
export interface ProfiledTurns {
  from: number;
  to: number;
  turns: number;
}

/** CPU time of one turn in ms, by the owner of the executed code, such as `LangGraph`. */
export type Shares = Map<string, number>;

interface ProfileNode {
  id: number;
  callFrame: { functionName: string; url: string };
  children?: number[];
}

/** A CPU profile in the format of V8. Its times are in microseconds. */
export interface CpuProfile {
  nodes: ProfileNode[];
  startTime: number;
  samples: number[];
  timeDeltas: number[];
}

const NODE = 'Node.js';
const COLLECTOR = 'garbage collection';
const IDLE = '(idle)';
/**
 * Owners of npm packages, each with a pattern for the names of its packages. Code of a package that
 * no pattern matches counts for the owner `other packages`.
 */
const OWNERS: readonly [string, RegExp][] = [
  ['LangGraph', /^(@langchain\/|langchain$|langsmith$|uuid$|p-queue$|zod$)/],
  ['MongoDB driver', /^(mongodb|bson)$/],
  ['Temporal SDK', /^(@temporalio\/|@grpc\/|protobufjs$|long$|nexus-rpc$)/],
];

/**
 * Returns the shares of each process that has a CPU profile in the folder. The keys are the file
 * names of the profiles, without the extension.
 */
export function readShares(folder: string, window: ProfiledTurns): Map<string, Shares> {
  const files = readdirSync(folder).filter((name) => name.endsWith('.cpuprofile'));
  return new Map(
    files.sort().map((name) => {
      const profile = JSON.parse(readFileSync(join(folder, name), 'utf8')) as CpuProfile;
      return [name.slice(0, -'.cpuprofile'.length), sharesOf(profile, window)];
    }),
  );
}

/**
 * Returns the CPU time per turn of each owner of code, largest first. Only the CPU time in the
 * period `window` counts. Time in code of Node.js counts for the owner of the code that called it.
 */
export function sharesOf({ nodes, startTime, samples, timeDeltas }: CpuProfile, window: ProfiledTurns): Shares {
  const owners = ownersOf(nodes);
  const shares: Shares = new Map();
  let time = startTime;
  for (const [index, id] of samples.entries()) {
    const delta = timeDeltas[index] ?? 0;
    time += delta;
    const owner = owners.get(id);
    if (owner === undefined || time < window.from * 1000 || time > window.to * 1000) continue;
    shares.set(owner, (shares.get(owner) ?? 0) + delta / 1000 / window.turns);
  }
  return new Map([...shares].sort(([, a], [, b]) => b - a));
}

export function formatShares(shares: Map<string, Shares>): string {
  const lines = [...shares].flatMap(([process, owned]) => {
    const parts = [...owned].map(([owner, ms]) => `${owner} ${ms.toFixed(1)}`);
    return parts.length === 0 ? [] : [`  ${process}: ${parts.join(', ')}`];
  });
  return ['JavaScript of a turn by whose code it is, ms:', ...lines].join('\n');
}

/**
 * Returns the owner of each node of the profile's call tree, by node id. Nodes of idle time are
 * left out.
 */
function ownersOf(nodes: ProfileNode[]): Map<number, string> {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const owners = new Map<number, string>();
  const waiting: { node: ProfileNode; above: string }[] = nodes.slice(0, 1).map((node) => ({ node, above: NODE }));
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { node, above } = next;
    const owner = ownerOf(node.callFrame) ?? above;
    if (node.callFrame.functionName !== IDLE) owners.set(node.id, owner);
    for (const child of node.children ?? []) {
      const below = byId.get(child);
      if (below !== undefined) waiting.push({ node: below, above: owner });
    }
  }
  return owners;
}

function ownerOf({ functionName, url }: ProfileNode['callFrame']): string | undefined {
  if (functionName === '(garbage collector)') return COLLECTOR;
  if (url === '' || url.startsWith('node:')) return undefined;
  const path = url.split('/node_modules/');
  if (path.length > 1) {
    const [scope = '', name = ''] = (path.at(-1) ?? '').split('/');
    const packageName = scope.startsWith('@') ? `${scope}/${name}` : scope;
    return OWNERS.find(([, packages]) => packages.test(packageName))?.[0] ?? 'other packages';
  }
  return /workflow-(bundle|isolate)/.test(url) ? 'workflow code' : 'ours';
}
