/** What the CPU profiles of a bench say: whose code a process was busy with. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** A time in which turns alike were taken, one after the other, on the machine's monotonic clock in ms. */
export interface ProfiledTurns {
  from: number;
  to: number;
  turns: number;
}

/** CPU time of a turn in ms, by whose code it was. */
export type Shares = Map<string, number>;

interface ProfileNode {
  id: number;
  callFrame: { functionName: string; url: string };
  children?: number[];
}

/** As V8 writes it; times in microseconds. */
export interface CpuProfile {
  nodes: ProfileNode[];
  startTime: number;
  samples: number[];
  timeDeltas: number[];
}

const NODE = 'Node.js';
const COLLECTOR = 'garbage collection';
const IDLE = '(idle)';
/** Packages by the name that they share; any other is told as one of the rest. */
const OWNERS: readonly [string, RegExp][] = [
  ['LangGraph', /^(@langchain\/|langchain$|langsmith$|uuid$|p-queue$|zod$)/],
  ['MongoDB driver', /^(mongodb|bson)$/],
  ['Temporal SDK', /^(@temporalio\/|@grpc\/|protobufjs$|long$|nexus-rpc$)/],
];

/** Shares of every process whose profile is in the folder, by its name there. */
export function readShares(folder: string, window: ProfiledTurns): Map<string, Shares> {
  const files = readdirSync(folder).filter((name) => name.endsWith('.cpuprofile'));
  return new Map(
    files.sort().map((name) => {
      const profile = JSON.parse(readFileSync(join(folder, name), 'utf8')) as CpuProfile;
      return [name.slice(0, -'.cpuprofile'.length), sharesOf(profile, window)];
    }),
  );
}

/** Largest first. What Node.js itself does counts for whoever has it done. */
export function sharesOf({ nodes, startTime, samples, timeDeltas }: CpuProfile, window: ProfiledTurns): Shares {
  const owners = ownersOf(nodes);
  const shares: Shares = new Map();
  let at = startTime;
  for (const [index, id] of samples.entries()) {
    const delta = timeDeltas[index] ?? 0;
    at += delta;
    const owner = owners.get(id);
    if (owner === undefined || at < window.from * 1000 || at > window.to * 1000) continue;
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

/** Whose each node is; none for the time in which there was nothing to do. */
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
