import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Client } from '@langchain/langgraph-sdk';
import pLimit from 'p-limit';
import { dirname } from 'node:path';
import { percentile } from '../../bench/measure.js';
import { startReference } from '../support/reference-server.js';
import type { Animal, Outcome, Status } from './animal.js';
import { ANIMALS, BESIDE_OTHERS } from './animals.js';
import { Bystanders } from './bystanders.js';
import { outcomeFaults } from './faults.js';
import type { Visit } from './visit.js';
import { ZOO_PROJECT, Zoo } from './zoo.js';

const VISIT_MS = 240_000;
const REFERENCED = ANIMALS.filter(({ reference }) => reference !== undefined);
/** An animal that leaves a run of LangGraph's server running for ever is given up after this time. */
const PATIENCE_MS = 5_000;
/** Its queue takes a run every second at most, in each of its ten jobs. */
const REFERENCE_LANES = 6;
const TURNS_ALONE = 200;
/** A short animal is visited again until the bystanders have taken this many turns beside it. */
const TURNS_BESIDE = 40;
describe('20 conversations beside one animal of each kind', () => {
  const zoo = new Zoo();
  let bystanders: Bystanders;
  const rows: string[] = [];
  let alone = 0;

  beforeAll(async () => {
    await zoo.open();
    bystanders = new Bystanders(zoo.client, zoo.ledger);
    bystanders.start();
    const turns = await bystanders.next(TURNS_ALONE);
    alone = p99(turns.slice(turns.length / 2));
  }, 180_000);
  afterAll(async () => {
    console.log([`p99 alone: ${alone.toFixed(0)} ms; beside:`, ...rows].join('\n'));
    await bystanders.stop();
    await zoo.close();
  }, 120_000);

  it.each(BESIDE_OTHERS.map((animal) => [animal.name, [animal]] as const))(
    'each animal ends as expected, and no conversation fails or is repeated: %s',
    async (name, animals) => {
      const from = bystanders.turns.length;
      const visits: [Animal, Visit][] = [];
      do {
        for (const animal of animals) visits.push([animal, await zoo.visit(animal, AbortSignal.timeout(VISIT_MS))]);
      } while (bystanders.turns.length < from + TURNS_BESIDE && bystanders.failures.length === 0);
      const beside = p99(bystanders.turns.slice(from));
      rows.push(`${(beside / alone).toFixed(2)}  ${beside.toFixed(0)} ms  ${name}`);
      expect(bystanders.faults()).toEqual([]);
      for (const [animal, visited] of visits) expect(await zoo.faults(animal, visited)).toEqual([]);
    },
    900_000,
  );
});

describe('LangGraph’s own server', () => {
  let reference: Awaited<ReturnType<typeof startReference>>;
  const outcomes = new Map<string, Promise<Outcome>>();
  beforeAll(async () => {
    reference = await startReference(dirname(ZOO_PROJECT));
    const limit = pLimit(REFERENCE_LANES);
    for (const animal of REFERENCED) {
      const outcome = limit(() => onReference(reference.url, animal));
      outcome.catch(() => undefined);
      outcomes.set(animal.name, outcome);
    }
  }, 180_000);
  afterAll(() => reference.stop());

  it.each(REFERENCED.map((animal) => [animal.name, animal] as const))(
    'does the same, or the table names the difference: %s',
    async (name, animal) => {
      const differences = (outcome: Outcome) => outcomeFaults(animal.expected, outcome);
      const isDescribed = (found: string[]) => (found.length === 0) === (animal.reference === 'same');
      const first = await outcomes.get(name)?.then(differences, String);
      // Under load this server may lose a connection, or the last event of a stream.
      const isCertain = Array.isArray(first) && isDescribed(first);
      const found = isCertain ? first : differences(await onReference(reference.url, animal));
      if (animal.reference === 'same') expect(found).toEqual([]);
      else expect(found).not.toEqual([]);
    },
    300_000,
  );
});

/** Its server reports errors in the stream, because its records of runs have none. */
async function onReference(apiUrl: string, { graph, inputs }: Animal): Promise<Outcome> {
  const client = new Client({ apiUrl, apiKey: null, callerOptions: { maxRetries: 0 } });
  const { thread_id: threadId } = await client.threads.create();
  let outcome: Outcome = { status: 'success' };
  for (const input of inputs) {
    let runId = '';
    const onRunCreated = ({ run_id }: { run_id: string }) => void (runId = run_id);
    const signal = AbortSignal.timeout(PATIENCE_MS);
    const parts: { event: string; data: unknown }[] = [];
    try {
      const stream = client.runs.stream(threadId, graph, { input: { ...input }, signal, onRunCreated });
      for await (const part of stream) parts.push(part);
    } catch (error) {
      if (!signal.aborted) throw error;
    }
    const { status } = await client.runs.get(threadId, runId);
    const last = parts.at(-1);
    outcome = {
      status: status as Status,
      ...(last?.event === 'error' && (last.data as { error: string; message: string })),
      ...(last?.event === 'values' && { output: last.data as Record<string, unknown> }),
    };
    if (status !== 'success') break;
  }
  return outcome;
}

function p99(turns: readonly { ms: number }[]): number {
  return percentile(
    turns.map(({ ms }) => ms),
    99,
  );
}
