import { Random } from './random.js';

export const FAULT_KINDS = ['worker', 'executor', 'api', 'temporal', 'mongodb'] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

export interface Fault {
  /** Time from the call of `playFaults` to the start of the fault, in ms. */
  at: number;
  kind: FaultKind;
  /**
   * Selects one of the processes of this kind. The position of the process in their list is this
   * number modulo the length of the list.
   */
  index: number;
  action: 'kill' | 'freeze';
  /** Duration of the fault, in ms. */
  lasts: number;
}

/**
 * Longest freeze of each kind of process, in ms. A worker can be frozen for longer than the
 * heartbeat timeout of its activity (10 s). Temporal then gives the activity to another worker,
 * while the frozen worker later continues the same activity.
 */
const LONGEST_FREEZE: Record<FaultKind, number> = {
  worker: 16_000,
  executor: 16_000,
  api: 9_000,
  temporal: 6_000,
  mongodb: 8_000,
};
const LONGEST_ABSENCE = 2_500;
const SHORTEST_GAP = 1_000;
const LONGEST_GAP = 6_000;

/**
 * Returns the faults of a chaos program. Equal arguments give equal faults. Each kind occurs once
 * before any kind occurs again, so that a short program also has faults of every kind.
 */
export function planFaults(seed: number, durationMs: number, kinds: readonly FaultKind[]): Fault[] {
  const random = new Random(seed, 'faults');
  const faults: Fault[] = [];
  let round: FaultKind[] = [];
  if (kinds.length === 0) return faults;
  for (
    let at = random.between(SHORTEST_GAP, LONGEST_GAP);
    at < durationMs;
    at += random.between(SHORTEST_GAP, LONGEST_GAP)
  ) {
    if (round.length === 0) round = [...kinds];
    const kind = random.pick(round);
    round = round.filter((other) => other !== kind);
    const action = random.chance(0.55) ? 'kill' : 'freeze';
    const lasts = random.between(200, action === 'kill' ? LONGEST_ABSENCE : LONGEST_FREEZE[kind]);
    faults.push({ at, kind, index: random.between(0, 99), action, lasts });
  }
  return faults;
}

/** A process that faults can kill or freeze. */
export interface Victim {
  name: string;
  /** Sends SIGKILL. Resolves when the process has exited. */
  kill(): Promise<void>;
  /** Restarts the process. Resolves when it is started, even if it is not ready yet. */
  revive(): Promise<void>;
  freeze(): void;
  thaw(): void;
}

export interface FaultEvent extends Fault {
  victim: string;
  /** Time of the start of the fault, in milliseconds since the epoch. */
  beganAt: number;
  endedAt: number;
}

export interface FaultRunner {
  /** Resolves when all faults are over. */
  done: Promise<void>;
  events: FaultEvent[];
}

/**
 * Executes faults at their times. Skips a fault if an earlier fault of the same process is not over
 * yet.
 */
export function playFaults(
  faults: readonly Fault[],
  victims: Record<FaultKind, Victim[]>,
  onEnd: (event: FaultEvent) => void,
): FaultRunner {
  const down = new Set<Victim>();
  const events: FaultEvent[] = [];
  const start = Date.now();

  async function play(fault: Fault): Promise<void> {
    await wait(start + fault.at - Date.now());
    const candidates = victims[fault.kind];
    const victim = candidates[fault.index % candidates.length];
    if (victim === undefined || down.has(victim)) return;
    down.add(victim);
    const beganAt = Date.now();
    if (fault.action === 'kill') await victim.kill();
    else victim.freeze();
    await wait(fault.lasts);
    if (fault.action === 'kill') await victim.revive();
    else victim.thaw();
    down.delete(victim);
    const event = { ...fault, victim: victim.name, beganAt, endedAt: Date.now() };
    events.push(event);
    onEnd(event);
  }

  return { events, done: Promise.all(faults.map(play)).then(() => undefined) };
}

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)));
}
