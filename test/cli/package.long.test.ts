import { describe, it, expect, beforeAll, afterAll } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from '@langchain/langgraph-sdk';
import { RunningCommand } from '../support/colloquy.js';

const AGENT = `
import { AIMessage } from '@langchain/core/messages';
import { END, MessagesAnnotation, START, StateGraph, interrupt } from '@langchain/langgraph';

type State = typeof MessagesAnnotation.State;

export const graph = new StateGraph(MessagesAnnotation)
  .addNode('ask', (state: State) => {
    const name: string = interrupt({ question: 'Who are you?' });
    const said = String(state.messages[0]?.content);
    return { messages: [new AIMessage(\`\${process.env.GREETING} \${name}, you said: \${said}\`)] };
  })
  .addEdge(START, 'ask')
  .addEdge('ask', END)
  .compile();
`;

const project = mkdtempSync(join(tmpdir(), 'colloquy-foreign-'));
const npx: [string, ...string[]] = ['npx', '--no-install', 'colloquy'];
const ports = ['--port', '0', '--temporal-port', '0', '--ui-port', '0', '--mongodb-port', '0'];

beforeAll(() => {
  const [packed] = JSON.parse(
    npm(process.cwd(), 'pack', '--json', '--silent', '--pack-destination', project).replace(/^[^[]*/, ''),
  ) as {
    filename: string;
    files: { path: string }[];
  }[];
  expect(
    packed?.files.map((file) => file.path).filter((path) => /^dist\/(test|bench)|\.ts\b(?<!\.d\.ts)/.test(path)),
  ).toEqual([]);
  mkdirSync(join(project, 'src'));
  writeFileSync(join(project, 'src', 'agent.ts'), AGENT);
  const dependencies = { '@langchain/core': '1.4.0', '@langchain/langgraph': '1.7.3' };
  writeFileSync(
    join(project, 'package.json'),
    JSON.stringify({ name: 'foreign', private: true, type: 'module', dependencies }),
  );
  writeFileSync(
    join(project, 'langgraph.json'),
    JSON.stringify({ graphs: { greeter: './src/agent.ts:graph' }, env: { GREETING: 'Good day' } }),
  );
  npm(project, 'install', '--prefer-offline', '--no-audit', '--no-fund', join(project, packed?.filename ?? ''));
});

afterAll(() => rmSync(project, { recursive: true, force: true }));

describe('the npm package of Colloquy, installed in another LangGraph.js project', () => {
  it('contains the Python program that starts the database SecantusDB, with the text of its MIT licence', () => {
    const installed = join(project, 'node_modules', 'colloquy', 'dist', 'servers', 'secantus', 'start.py');
    const header = readFileSync(installed, 'utf8');
    expect(header).toMatch(/^# SPDX-License-Identifier: MIT\n/);
    expect(header).toContain('# Permission is hereby granted, free of charge');
  });

  it('serves the project with `npx colloquy dev` to `colloquy chat` and an SDK client, and keeps its data out of Git', async () => {
    const stack = new RunningCommand(['dev', ...ports], { command: npx, cwd: project, group: true });
    const [, url = ''] = await stack.printed(/API +(http:\/\/\S+)[^]*Ready in/);
    expect(stack.stdout).toMatch(/Agents +langgraph\.json/);
    const chat = new RunningCommand(['chat', '--url', url], {
      command: npx,
      cwd: project,
      input: 'good morning\nAda\n',
    });
    const talk = await chat.finished;
    expect(talk.stdout).toMatch(/^Who are you\?\nGood day Ada, you said: good morning$/m);

    const client = new Client({ apiUrl: url, apiKey: null });
    const thread = await client.threads.create();
    const waiting = await client.runs.wait(thread.thread_id, 'greeter', {
      input: { messages: [{ role: 'user', content: 'hi' }] },
    });
    expect(waiting).toMatchObject({ __interrupt__: [{ value: { question: 'Who are you?' } }] });
    const answered = (await client.runs.wait(thread.thread_id, 'greeter', { command: { resume: 'Bob' } })) as {
      messages: { content: string }[];
    };
    expect(answered.messages.at(-1)?.content).toBe('Good day Bob, you said: hi');

    stack.signal('SIGINT');
    expect((await stack.finished).stdout).toMatch(/stopped; conversations are kept/);
    expect(readFileSync(join(project, '.colloquy', '.gitignore'), 'utf8')).toBe('*\n');
  });
});

function npm(cwd: string, ...args: string[]): string {
  return execFileSync('npm', args, {
    cwd,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}
