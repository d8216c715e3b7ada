import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

const packages = join(import.meta.dirname, '../../node_modules');
const describer = join(import.meta.dirname, '../fixtures/describe-project.mjs');

let folder: string;
beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'colloquy-schemas-')));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/**
 * Gives the project its own copy of LangGraph. The other packages of the project are symbolic links
 * to Colloquy's packages.
 */
async function installOwnCopy(): Promise<void> {
  const scope = join(folder, 'node_modules', '@langchain');
  await mkdir(scope, { recursive: true });
  for (const name of await readdir(join(packages, '@langchain'))) {
    const [from, to] = [join(packages, '@langchain', name), join(scope, name)];
    await (name === 'langgraph' ? cp(from, to, { recursive: true }) : symlink(from, to));
  }
  for (const name of ['zod', 'uuid', '@standard-schema']) {
    await symlink(join(packages, name), join(folder, 'node_modules', name)).catch(() => undefined);
  }
}

describe('schemas of a graph', () => {
  it("contain LangGraph's annotations (langgraph_type) even if the project has its own copy of LangGraph", async () => {
    await installOwnCopy();
    await writeFile(join(folder, 'langgraph.json'), JSON.stringify({ graphs: { chat: './chat.mjs:graph' } }));
    await writeFile(
      join(folder, 'chat.mjs'),
      `import { MessagesZodState, START, StateGraph } from '@langchain/langgraph';
       export const graph = new StateGraph(MessagesZodState)
         .addNode('answer', () => ({ messages: [] })).addEdge(START, 'answer').compile();`,
    );
    const { stdout } = await promisify(execFile)(process.execPath, [describer, folder]);
    expect(JSON.parse(stdout)).toMatchObject({
      chat: {
        state: { properties: { messages: { langgraph_type: 'messages' } } },
        input: { properties: { messages: { langgraph_type: 'messages' } } },
        output: { properties: { messages: { langgraph_type: 'messages' } } },
        config: null,
      },
    });
  });
});
