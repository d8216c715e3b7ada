import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { Client } from '@langchain/langgraph-sdk';
import { ServiceProcesses } from '../support/house.js';
import { startReference } from '../support/reference-server.js';
import { DIFFERENCES } from './differences.js';
import { masked } from './masks.js';
import { PROBES, type Probe } from './probes.js';

const PROJECT = resolve('test/fixtures/projects/talk');

describe('the HTTP answers of Colloquy and of LangGraph’s own server', () => {
  const house = new ServiceProcesses(`${PROJECT}/langgraph.json`);
  let reference: Awaited<ReturnType<typeof startReference>>;
  let url: string;

  beforeAll(async () => {
    const [started, api] = await Promise.all([startReference(PROJECT), house.api(), house.worker()]);
    reference = started;
    ({ url } = api);
  }, 180_000);
  afterAll(async () => {
    reference.stop();
    await house.stop();
  }, 60_000);

  async function ask(probe: Probe, base: string): Promise<unknown> {
    const client = new Client({ apiUrl: base, apiKey: null, callerOptions: { maxRetries: 0 } });
    try {
      return masked(await probe.run(client, base));
    } catch (error) {
      return { failed: (error as { status?: number }).status ?? (error as Error).message };
    }
  }

  it.each(PROBES.map((probe) => [probe.name, probe] as const))(
    'are equal, or the difference is documented: %s',
    async (name, probe) => {
      const [here, there] = await Promise.all([ask(probe, url), ask(probe, reference.url)]);
      if (name in DIFFERENCES) expect(here).not.toEqual(there);
      else expect(here).toEqual(there);
    },
  );

  it('have exactly the known differences that docs/differences.md lists, each under the name of a request of this test', () => {
    const documented = readFileSync('docs/differences.md', 'utf8');
    const wanted = Object.entries(DIFFERENCES).map(([name, why]) => `| ${name} | ${why} |`);
    expect(wanted.filter((line) => !documented.includes(line))).toEqual([]);
    expect(documented.split('\n').filter((line) => line.startsWith('| ')).length - 1).toBe(wanted.length);
    expect(Object.keys(DIFFERENCES).filter((name) => !PROBES.some((probe) => probe.name === name))).toEqual([]);
  });
});
