import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Client } from '@langchain/langgraph-sdk';
import { ServiceProcesses } from '../support/house.js';

/** Inside the repository, so that the project finds its packages. */
const folder = mkdtempSync(resolve('test/fixtures/projects/.reload-'));
const source = (word: string) => `
import { Annotation, START, StateGraph } from '@langchain/langgraph';
export const graph = new StateGraph(Annotation.Root({ word: Annotation<string> }))
  .addNode('say_${word}', () => ({ word: '${word}' }))
  .addEdge(START, 'say_${word}')
  .compile();
`;

describe('a worker and an API process with COLLOQUY_RELOAD', () => {
  writeFileSync(join(folder, 'langgraph.json'), '{ "graphs": { "sayer": "./graph.ts:graph" } }');
  writeFileSync(join(folder, 'graph.ts'), source('first'));
  const house = new ServiceProcesses(join(folder, 'langgraph.json'), { COLLOQUY_RELOAD: 'true' });
  let client: Client;
  let log: () => string;

  beforeAll(async () => {
    const [worker, api] = await Promise.all([house.worker(), house.api()]);
    log = worker.log;
    client = new Client({ apiUrl: api.url, apiKey: null });
  }, 60_000);
  afterAll(async () => {
    await house.stop();
    rmSync(folder, { recursive: true });
  });

  const said = async () => ((await client.runs.wait(null, 'sayer', { input: {} })) as { word: string }).word;
  const drawn = async () => (await client.assistants.getGraph('sayer')).nodes.map(({ id }) => id);

  it('runs new steps with the changed source, and goes on after a source that cannot be loaded', async () => {
    expect(await said()).toBe('first');
    expect(await drawn()).toContain('say_first');
    writeFileSync(join(folder, 'graph.ts'), source('second'));
    await until(async () => (await said()) === 'second');
    await until(async () => (await drawn()).includes('say_second'));
    writeFileSync(join(folder, 'graph.ts'), 'this is no program');
    await until(async () => (await client.runs.wait(null, 'sayer', { input: {} }).catch(() => 'failed')) === 'failed');
    await until(async () => (await drawn().catch((error: Error) => [error.message])).join().includes('graph.ts'));
    writeFileSync(join(folder, 'graph.ts'), source('third'));
    await until(async () => (await said().catch(() => '')) === 'third');
    await until(async () => (await drawn().catch((): string[] => [])).includes('say_third'));
    expect(log()).toContain('graph.ts has changed');
  }, 60_000);
});

async function until(isTrue: () => Promise<boolean>): Promise<void> {
  while (!(await isTrue())) await new Promise((resolve) => setTimeout(resolve, 50));
}
