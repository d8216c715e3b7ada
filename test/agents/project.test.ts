import { cp, mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { execFile } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { MemorySaver } from '@langchain/langgraph';
import { loadProject, SHIPPED_PROJECT } from '../../agents/index.js';

const projects = join(import.meta.dirname, '../fixtures/projects');
const loader = join(import.meta.dirname, '../fixtures/load-project.mjs');
const packages = join(import.meta.dirname, '../../node_modules');

interface Loaded {
  code?: string;
  message?: string;
  graphs?: { graphId: string; description?: string }[];
  warnings?: string[];
  results?: Record<string, unknown>;
  /** What the process wrote to standard error. */
  logged?: string;
}

/**
 * Loads a project with the compiled loader in a new process. The process of the test runner cannot
 * do it, because the loader uses tsx, which cannot extend the test runner's module loader.
 */
async function load(path: string, environment: Record<string, string> = {}): Promise<Loaded> {
  const env = { ...process.env, COLLOQUY_MODEL: 'offline', COLLOQUY_OFFLINE_TOKEN_DELAY_MS: '0', ...environment };
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [loader, path], { env });
  return { ...(JSON.parse(stdout) as Loaded), logged: stderr };
}

let folder: string;
beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'colloquy-project-')));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function projectWith(json: unknown): Promise<string> {
  const path = join(folder, `langgraph-${Math.random().toString(36).slice(2)}.json`);
  await writeFile(path, typeof json === 'string' ? json : JSON.stringify(json));
  return path;
}

describe("a project's own copy of LangGraph", () => {
  async function projectOn(version: string): Promise<string> {
    const project = join(folder, `on-${version}`);
    const copy = join(project, 'node_modules', '@langchain', 'langgraph');
    await mkdir(copy, { recursive: true });
    await writeFile(join(copy, 'package.json'), JSON.stringify({ name: '@langchain/langgraph', version }));
    const library = JSON.stringify(join(packages, '@langchain/langgraph/dist/index.js'));
    await writeFile(
      join(project, 'graphs.mjs'),
      `import { entrypoint } from ${library};
       export const one = entrypoint('one', async () => ({ text: 'done' }));
       export const two = one;`,
    );
    const graphs = { one: './graphs.mjs:one', two: './graphs.mjs:two' };
    await writeFile(join(project, 'langgraph.json'), JSON.stringify({ graphs }));
    return project;
  }

  it('causes one warning if it is so old that it cannot stop a run between supersteps', async () => {
    const { warnings } = await load(await projectOn('1.5.3'));
    expect(warnings).toEqual([
      expect.stringMatching(/LangGraph 1\.5\.3 in .*on-1\.5\.3.* cannot be stopped between steps/) as unknown,
    ]);
  });

  it('causes no warning if it can stop a run between supersteps', async () => {
    expect((await load(await projectOn('1.10.0'))).warnings).toEqual([]);
  });

  it('is refused if it is so old that its checkpoints have another format', async () => {
    expect(await load(await projectOn('0.2.74'))).toMatchObject({
      code: 'unsupported',
      message: expect.stringMatching(/LangGraph 0\.2\.74 in .* is too old: 0\.4\.0 or newer is needed/) as unknown,
    });
  });
});

describe('a TypeScript project', () => {
  let loaded: Loaded;
  beforeAll(async () => {
    loaded = await load(join(projects, 'typescript'), { FIXTURE_KEPT: 'from the process' });
  });

  it('has its graphs in the order of langgraph.json, with their descriptions', () => {
    expect(loaded.graphs?.map(({ graphId }) => graphId)).toEqual([
      'compiled',
      'builder',
      'factory',
      'async-factory',
      'promise',
      'functional',
      'default',
      'unnamed',
      'agent',
    ]);
    expect(loaded.graphs?.[0]?.description).toBe('A compiled graph');
  });

  it.each([
    ['a compiled graph', 'compiled', 'Hello there hi, compiled, from the process!'],
    ['a builder', 'builder', 'Hello there hi, builder, from the process!'],
    ['a factory', 'factory', 'Hello there hi, factory for Ada provided assistants.read, from the process!'],
    ['an asynchronous factory', 'async-factory', 'Hello there hi, later for Ada, from the process!'],
    ['a promise of a graph', 'promise', 'Hello there hi, promise, from the process!'],
    ['an entrypoint of the functional API', 'functional', 'HI'],
    ['a default export', 'default', 'HI'],
    ['a default export without a name', 'unnamed', 'HI'],
    ['an agent made by createAgent', 'agent', 'from the agent'],
  ])('runs the graph that is exported as %s', (_, graphId, expected) => {
    expect(loaded.results?.[graphId]).toBe(expected);
  });

  it('causes a warning for each field of langgraph.json that has no effect, and for no other field', () => {
    expect(loaded.warnings).toEqual([
      'langgraph.json: field colour has no effect: it is not known here',
      'langgraph.json: field http.mount_prefix has no effect: it is not known here',
    ]);
  });
});

describe('the loader of projects', () => {
  it('provides the logger that graphs get from LangGraph’s `getLogger`', async () => {
    const { logged } = await load(join(projects, 'javascript'));
    expect(logged?.replace(/^\S+ /, '')).toBe('info graph: greeting length=2\n');
  });

  it('loads CommonJS projects, in TypeScript and in JavaScript', async () => {
    expect((await load(join(projects, 'commonjs'))).results).toEqual({
      named: 'hi from CommonJS',
      default: 'hi from CommonJS',
      plain: 'hi from plain CommonJS',
    });
  });

  it('loads JavaScript projects that import TypeScript, and sets the variables in `env` of langgraph.json', async () => {
    expect((await load(join(projects, 'javascript'))).results).toEqual({
      plain: 'hi from JavaScript',
      mixed: 'hi from TypeScript',
    });
  });

  it('loads a project that has its own copies of LangGraph', async () => {
    const project = join(folder, 'own-copies');
    const own = join(project, 'node_modules', '@langchain');
    await cp(join(projects, 'commonjs'), project, { recursive: true });
    await mkdir(own, { recursive: true });
    for (const name of ['langgraph', 'core'])
      await cp(join(packages, '@langchain', name), join(own, name), { recursive: true });
    // The dependencies of the copied packages were not copied. Node.js also searches for packages
    // in the `node_modules` of the parent folder. With this link, it finds the dependencies there.
    await symlink(packages, join(folder, 'node_modules'));
    expect((await load(project)).results).toMatchObject({ named: 'hi from CommonJS' });
  });
});

describe('the project that is shipped with Colloquy', () => {
  it('can be loaded from its sources', async () => {
    const project = await loadProject(SHIPPED_PROJECT);
    expect(project.graphs.map(({ graphId }) => graphId)).toEqual(['hiring-assistant']);
    expect(project.warnings).toEqual([]);
    expect(Object.keys((await project.load('hiring-assistant')).nodes)).toEqual([
      '__start__',
      'intake',
      'sourcing',
      'outreach',
    ]);
  });

  it('can be loaded in compiled form, as npm packs it', async () => {
    const { results } = await load(SHIPPED_PROJECT);
    expect(results?.['hiring-assistant']).toContain('Which role');
  });

  it('makes a new graph for each call of `load`', async () => {
    const project = await loadProject(SHIPPED_PROJECT);
    const [one, other] = [await project.load('hiring-assistant'), await project.load('hiring-assistant')];
    one.checkpointer = new MemorySaver();
    expect(other.checkpointer).toBeUndefined();
  });

  it('refuses an unknown graph id and names the graphs that it has', async () => {
    const project = await loadProject(SHIPPED_PROJECT);
    await expect(project.load('firing-assistant')).rejects.toMatchObject({
      code: 'not_found',
      message: `graph firing-assistant is not in ${SHIPPED_PROJECT}; it has hiring-assistant`,
    });
  });
});

describe('a broken project', () => {
  it('is refused with the faults of all graphs in one message', async () => {
    const { code, message } = await load(join(projects, 'broken'));
    const at = join(projects, 'broken');
    const expected = 'expected a compiled graph, a graph builder, or a function that makes one';
    expect(code).toBe('invalid_argument');
    expect(message?.split('\n').filter((line) => line.startsWith('graph '))).toEqual([
      `graph no-file: file ${at}/nowhere.ts does not exist`,
      `graph no-export: ${at}/things.js has no export graf; it exports empty, fine, loose, nothing, number, thing, throwing`,
      `graph no-graph: export number of ${at}/things.js is a value of type number; ${expected}`,
      `graph no-graph-object: export thing of ${at}/things.js is an object of class Thing that is no graph; ${expected}`,
      `graph nothing: export nothing of ${at}/things.js is null; ${expected}`,
      `graph throws: importing ${at}/throws.js failed: FIXTURE_TOKEN is not set`,
      `graph no-compile: export loose of ${at}/things.js does not compile: Node \`a\` is not reachable.`,
    ]);
  });

  it('is refused if it exports a RemoteGraph, although one can be a node', async () => {
    const { code, message } = await load(join(projects, 'remote/exported.json'));
    expect(code).toBe('invalid_argument');
    expect(message).toContain('is a RemoteGraph, which runs on another server and cannot be stepped here');
  });

  it('is loaded although a factory throws or returns no graph: only the call of the factory fails', async () => {
    const { results } = await load(join(projects, 'broken/factories.json'));
    const file = join(projects, 'broken/things.js');
    expect(results).toEqual({
      throws: { code: 'graph_failed', message: `graph throws: factory throwing of ${file} threw: no model today` },
      empty: {
        code: 'invalid_argument',
        message: `graph empty: factory empty of ${file} is undefined; expected a compiled graph, a graph builder, or a function that makes one`,
      },
      fine: 'hi',
    });
  });

  it.each([
    ['text that is not JSON', '{ graphs', /not JSON/],
    ['missing graphs', {}, /graphs: expected an object of graph ids, found nothing/],
    ['an empty list of graphs', { graphs: {} }, /at least one graph is needed/],
    [
      'a graph without an export',
      { graphs: { a: './a.ts' } },
      /graphs\.a: expected "<file>:<export>", found "\.\/a\.ts"/,
    ],
    [
      'a graph that is not a path',
      { graphs: { a: 7 } },
      /graphs\.a: expected "<file>:<export>" or \{ path \}, found a value of type number/,
    ],
    ['a Python graph', { graphs: { a: './a.py:graph' } }, /graphs\.a: \.\/a\.py:graph is a Python graph/],
    [
      'env as a list',
      { graphs: { a: './a.ts:b' }, env: ['A'] },
      /env: expected the path of a file or an object, found an array/,
    ],
    [
      'an env value that is not a text',
      { graphs: { a: './a.ts:b' }, env: { A: 1 } },
      /env\.A: expected a string, found a value of type number/,
    ],
    [
      'encryption',
      { graphs: { a: './a.ts:b' }, encryption: { path: './keys.ts:keys' } },
      /field encryption is not supported yet: .* in the clear/,
    ],
    [
      'settings of the wrong kind, all in one message',
      { graphs: { a: './a.ts:b' }, http: { disable_runs: 'no', cors: { allow_origin_regex: '(' } } },
      /http\.disable_runs: .*; http\.cors\.allow_origin_regex: is no regular expression/,
    ],
    [
      'settings of checkpointer.ttl that are not supported, all in one message',
      { graphs: { a: './a.ts:b' }, checkpointer: { ttl: { strategy: 'archive', default_ttl: -1, sweep_limit: 5 } } },
      /checkpointer\.ttl\.strategy: .*; checkpointer\.ttl\.default_ttl: .*; checkpointer\.ttl: .*sweep_limit/,
    ],
    [
      'an embedder that is named by its provider',
      { graphs: { a: './a.ts:b' }, store: { index: { embed: 'openai:text-embedding-3-small', dims: 8 } } },
      /store\.index\.embed: openai:text-embedding-3-small is not served by name; export its Embeddings/,
    ],
  ])('is refused because of %s', async (_, json, message) => {
    await expect(loadProject(await projectWith(json))).rejects.toThrow(message);
  });

  it('is refused if its path does not exist', async () => {
    await expect(loadProject(join(folder, 'nowhere'))).rejects.toMatchObject({ code: 'not_found' });
  });

  it('is loaded with a warning if its env file is missing', async () => {
    await cp(join(projects, 'javascript'), join(folder, 'no-env'), { recursive: true });
    await writeFile(
      join(folder, 'no-env', 'langgraph.json'),
      JSON.stringify({ graphs: { plain: './graph.js:graph' }, env: './missing.env' }),
    );
    const { warnings } = await load(join(folder, 'no-env'));
    expect(warnings).toEqual([
      `langgraph.json: env file ${folder}/no-env/missing.env does not exist; going on without it`,
    ]);
  });
});
