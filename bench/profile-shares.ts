/** Reads from CPU profiles which code a process was executing. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** A period of identical sequential turns, on the machine's monotonic clock in ms. */
export interface ProfiledTurns {
  from: number;
  to: number;
  turns: number;
}

/** CPU time of a turn in ms, by the owner of the code. */
export type Shares = Map<string, number>;

interface ProfileNode {
  id: number;
  callFrame: { functionName: string; url: string };
  children?: number[];
}

/** A profile of V8; times in microseconds. */
export interface CpuProfile {
  nodes: ProfileNode[];
  startTime: number;
  samples: number[];
  timeDeltas: number[];
}

const NODE = 'Node.js';
const COLLECTOR = 'garbage collection';
const IDLE = '(idle)';
/** Owners of packages by a pattern of their names. Code of any other package counts as the rest. */
const OWNERS: readonly [string, RegExp][] = [
  ['LangGraph', /^(@langchain\/|langchain$|langsmith$|uuid$|p-queue$|zod$)/],
  ['MongoDB driver', /^(mongodb|bson)$/],
  ['Temporal SDK', /^(@temporalio\/|@grpc\/|protobufjs$|long$|nexus-rpc$)/],
];

/** Returns the shares of every process with a profile in the folder, by its name there. */
export function readShares(folder: string, window: ProfiledTurns): Map<string, Shares> {
  const files = readdirSync(folder).filter((name) => name.endsWith('.cpuprofile'));
  return new Map(
    files.sort().map((name) => {
      const profile = JSON.parse(readFileSync(join(folder, name), 'utf8')) as CpuProfile;
      return [name.slice(0, -'.cpuprofile'.length), sharesOf(profile, window)];
    }),
  );
}

/** Returns the shares, largest first. Work of Node.js counts for the code that caused it. */
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

/** Returns the owner of each node; idle nodes have none. */
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
