/**
 * Maximum depth of nested objects and lists in a request. Many functions recurse over values
 * (JSON.stringify, the serializer of checkpoints, comparisons), and Node's stack overflows at about
 * 2,500 levels. Values that people or models write are nowhere near 256 levels deep.
 */
const MAX_DEPTH = 256;
export const TOO_DEEP = `is nested deeper than the limit of ${MAX_DEPTH} levels`;

/**
 * An error message shows at most `SHOWN_STEPS` segments of a path, and at most `SHOWN_STEP_LENGTH`
 * characters of each segment.
 */
const SHOWN_STEPS = 5;
const SHOWN_STEP_LENGTH = 40;

type Container = Record<string, unknown> | unknown[];

/**
 * One level of the search: an object or list, and in `next` the index of the entry that is visited
 * next.
 */
interface Level {
  container: Container;
  keys: string[] | undefined;
  next: number;
}

/**
 * Returns the first segments of the path to a value deeper than {@link MAX_DEPTH}. Returns
 * undefined if there is no such value. Does not recurse.
 */
export function findTooDeep(value: unknown): string | undefined {
  if (!isContainer(value)) return undefined;
  const way = [levelOf(value)];
  for (let level = way.at(-1); level !== undefined; level = way.at(-1)) {
    const inner = nextContainer(level);
    if (inner === undefined) way.pop();
    else if (way.length === MAX_DEPTH) return pathOf(way);
    else way.push(levelOf(inner));
  }
  return undefined;
}

function isContainer(value: unknown): value is Container {
  return typeof value === 'object' && value !== null;
}

function levelOf(container: Container): Level {
  return { container, keys: Array.isArray(container) ? undefined : Object.keys(container), next: 0 };
}

/**
 * Returns the next object or list inside the level's container, and moves `next` behind it. Returns
 * undefined if there is none.
 */
function nextContainer(level: Level): Container | undefined {
  const { container, keys } = level;
  const size = keys?.length ?? (container as unknown[]).length;
  while (level.next < size) {
    const at = level.next++;
    const inner =
      keys === undefined ? (container as unknown[])[at] : (container as Record<string, unknown>)[keys[at] ?? ''];
    if (isContainer(inner)) return inner;
  }
  return undefined;
}

function pathOf(way: readonly Level[]): string {
  const steps = way.slice(0, SHOWN_STEPS).map(({ keys, next }) => keys?.[next - 1] ?? String(next - 1));
  return [...steps.map(shortened), '…'].join('.');
}

function shortened(step: string): string {
  return step.length > SHOWN_STEP_LENGTH ? `${step.slice(0, SHOWN_STEP_LENGTH)}…` : step;
}
