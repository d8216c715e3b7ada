/** Shared helpers of the tests of the conversation workflow. */
import { afterAll, beforeAll, describe } from '@jest/globals';
import { WorkflowUpdateFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { asks } from './script.js';
import { createWorld } from './world.js';
import type { Talk, World, WorldOptions } from './world.js';

type Tests = (world: () => World, mode: WorldOptions) => void;

const MODES: (WorldOptions & { title: string })[] = [
  { title: 'cached', maxTurns: 0 },
  { title: 'replayed at every workflow task', maxTurns: 0, maxCachedWorkflows: 0 },
  { title: 'continued as new every two turns', maxTurns: 2 },
];
/** This mode takes long, so only `every-step.long.test.ts` has it. It sets the variable. */
const LONG_MODES: typeof MODES = [{ title: 'continued as new after every step', maxTurns: 0, maxSteps: 1 }];
export const LONG_MODE_VARIABLE = 'COLLOQUY_TEST_EVERY_STEP';

/**
 * Defines the same tests three times: with a worker that caches workflows, with a worker that
 * replays the workflow at each workflow task, and with a workflow that continues as new after every
 * two runs. In the long tests: once, with a workflow that continues as new after every step.
 */
export function inEveryMode(tests: Tests): void {
  inModes(process.env[LONG_MODE_VARIABLE] === undefined ? MODES : LONG_MODES, tests);
}

/** Like {@link inEveryMode}, for tests that set themselves when the workflow continues as new. */
export function withAndWithoutCache(tests: Tests): void {
  inModes(
    MODES.filter((mode) => !continuesAsNew(mode)),
    tests,
  );
}

function inModes(modes: typeof MODES, tests: Tests): void {
  describe.each(modes)('a conversation ($title)', (mode) => {
    let world: World | undefined;
    beforeAll(async () => {
      world = await createWorld(mode);
    }, 60_000);
    afterAll(() => world?.close());
    tests(() => {
      if (!world) throw new Error('the world is there from beforeAll on');
      return world;
    }, mode);
  });
}

/** Whether the workflow continues as new in this mode. */
export function continuesAsNew({ maxTurns, maxSteps = 0 }: WorldOptions): boolean {
  return maxTurns > 0 || maxSteps > 0;
}

/** Returns error code and message of a Temporal update that the workflow refuses. */
export async function refusal(update: Promise<unknown>): Promise<[code: string | undefined, message: string]> {
  const error: unknown = await update.then(
    () => new Error('the update was not refused'),
    (reason: unknown) => reason,
  );
  const cause = error instanceof WorkflowUpdateFailedError ? error.cause : undefined;
  if (!(cause instanceof ApplicationFailure)) throw error;
  return [cause.type ?? undefined, cause.message];
}

/**
 * Submits a run `asker` whose graph asks these questions, and waits until they are open. Returns
 * the conversation.
 */
export async function asked(talk: Talk, ...questions: Parameters<typeof asks>): Promise<Talk> {
  talk.steps.set('asker', () => asks(...questions));
  await talk.submit('asker');
  await talk.until((view) => view.status === 'interrupted');
  // A query can already show the effects of a pending workflow task, such as the open questions. If
  // an answer arrived now, the workflow would handle it in the pending task, before it opens the
  // questions. So wait until no workflow task is pending.
  await talk.settled();
  return talk;
}
