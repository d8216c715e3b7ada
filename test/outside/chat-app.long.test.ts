import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { createChatApp, MODEL_PACKAGE, SEARCH_PACKAGE } from './chat-app.js';
import type { ProjectParts } from './foreign-project.js';
import { call, lines } from './line-script.js';
import { Sides } from './sides.js';

const app = createChatApp();
afterAll(() => rmSync(dirname(app), { recursive: true, force: true }));

const PACKAGES: [string, Partial<ProjectParts>][] = [
  ['with the current LangGraph', { packages: { ...SEARCH_PACKAGE, ...MODEL_PACKAGE } }],
  [
    'with its own, older packages',
    {
      packages: SEARCH_PACKAGE,
      install: {
        '@langchain/core': '0.3.80',
        '@langchain/langgraph': '0.4.10',
        '@langchain/openai': '0.6.17',
        langchain: '0.3.37',
        zod: '3.25.76',
      },
    },
  ],
];

describe.each(PACKAGES)('a project that create-agent-chat-app generates, %s', (_, packages) => {
  let sides: Sides;
  beforeAll(async () => {
    sides = await Sides.open({
      copies: { '.': app, 'apps/agents/src/questions.ts': 'test/outside/graphs/questions.ts' },
      graphs: {
        agent: './apps/agents/src/react-agent/graph.ts:graph',
        questions: './apps/agents/src/questions.ts:questions',
      },
      ...packages,
    });
  }, 180_000);
  afterAll(() => sides.close());

  it.each([false, true])(
    'uses a tool and answers with the same events and state as LangGraph alone (stream of subgraphs: %s)',
    async (subgraphs) => {
      const say = (...all: string[]) => ({ input: { messages: [{ role: 'user', content: lines(...all) }] } });
      const turns = [say(call('tavily_search_results_json', { input: 'Oslo' }), 'It is a city.'), say('Good bye.')];
      const configurable = { model: 'openai/scripted' };
      // With the older packages (`install`), messages lose their `usage_metadata` when LangGraph's
      // `MemorySaver` returns them. Colloquy keeps it, so the comparison ignores this key.
      const lost = packages.install ? ['usage_metadata'] : [];
      const { colloquy, inProcess } = await sides.both({ graph: 'agent', turns, subgraphs, configurable, lost });
      expect(colloquy).toEqual(inProcess);
      const { messages } = inProcess.state.values as { messages: { content: string }[] };
      expect(messages.map((message) => message.content)).toEqual([
        expect.stringContaining('Oslo'),
        '',
        '[{"title":"Oslo","url":"https://example.com"}]',
        'It is a city.',
        'Good bye.',
        'Good bye.',
      ]);
    },
    60_000,
  );

  it.each([false, true])(
    'asks a person and continues with the same events and state as LangGraph alone (stream of subgraphs: %s)',
    async (subgraphs) => {
      const turns = [{ input: { log: ['go'] } }, { command: { resume: 'yes' } }, { input: { log: ['again'] } }];
      const { colloquy, inProcess } = await sides.both({ graph: 'questions', turns, subgraphs });
      expect(colloquy).toEqual(inProcess);
      expect(colloquy.state).toMatchObject({ next: ['inner'], values: { log: expect.arrayContaining(['last']) } });
    },
    60_000,
  );
});
