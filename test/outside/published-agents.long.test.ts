import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { call, lines } from './line-script.js';
import { Sides } from './sides.js';
import { byPlace, type Turn } from './transcript.js';

const say = (...all: string[]): Turn => ({ input: { messages: [{ role: 'user', content: lines(...all) }] } });
const answer = (resume: unknown): Turn => ({ command: { resume } });

interface Case {
  name: string;
  graph: string;
  turns: Turn[];
  /** How the conversation ends, so that two sides that do nothing are not taken for equal. */
  last: string;
  /** Graphs run at the same time. */
  sideBySide?: true;
}

const OSLO = 'It is sunny in Oslo.';

const CASES: Case[] = [
  {
    name: 'createReactAgent of LangGraph: tools side by side, and a tool that asks a person',
    graph: 'react',
    turns: [
      say(
        `${call('get_weather', { city: 'Oslo' })} & ${call('add', { a: 1, b: 2 })}`,
        call('ask_person', { question: 'Enough?' }),
        'Sunny, and three.',
      ),
      answer('enough'),
      say('You are welcome.'),
    ],
    last: 'You are welcome.',
  },
  {
    name: 'createAgent of LangChain: a person approves, edits and rejects; long conversations are summarised',
    graph: 'middleware',
    turns: [
      say(
        `${call('get_weather', { city: 'Oslo' })} & ${call('send_mail', { to: 'Ann', text: 'Sunny' })}`,
        call('send_mail', { to: 'Bob', text: 'Sunny' }),
        'Ann and Bobby know.',
      ),
      answer({ decisions: [{ type: 'approve' }] }),
      answer({
        decisions: [{ type: 'edit', editedAction: { name: 'send_mail', args: { to: 'Bobby', text: 'Sunny' } } }],
      }),
      say(call('send_mail', { to: 'Eve', text: 'Sunny' }), 'Eve does not.'),
      answer({ decisions: [{ type: 'reject', message: 'Not to Eve.' }] }),
      say('Good bye.'),
    ],
    last: 'Good bye.',
  },
  {
    name: 'a swarm: agents hand the word to each other',
    graph: 'swarm',
    turns: [
      say(
        call('add', { a: 1, b: 2 }),
        call('transfer_to_bob'),
        call('get_weather', { city: 'Oslo' }),
        'Three, and sunny.',
      ),
      say(call('transfer_to_alice'), call('add', { a: 3, b: 4 }), 'Seven.'),
    ],
    last: 'Seven.',
  },
  {
    name: 'a supervisor: it sends two agents out, one of which asks a person',
    graph: 'supervisor',
    turns: [
      say(
        call('transfer_to_research'),
        call('get_weather', { city: 'Oslo' }),
        call('ask_person', { question: 'Which scale?' }),
        'Twenty degrees.',
        // The agent's answers count as one, and a message about the way back comes after it.
        'The supervisor says: twenty.',
      ),
      answer('Celsius'),
      say(call('transfer_to_math'), call('add', { a: 20, b: 2 }), '22', 'The supervisor says: 22.'),
    ],
    last: 'The supervisor says: 22.',
  },
  {
    name: 'a deep agent: todos, files, subagents side by side, and an approval',
    graph: 'deep',
    sideBySide: true,
    turns: [
      say(
        call('write_todos', { todos: [{ content: 'forecast', status: 'in_progress' }] }),
        `${forecast('Oslo')} & ${forecast('Rome')}`,
        call('write_file', { file_path: '/forecast.md', content: OSLO }),
        `${call('read_file', { file_path: '/forecast.md' })} & ${call('ls', { path: '/' })}`,
        call('edit_file', { file_path: '/forecast.md', old_string: 'sunny', new_string: 'very sunny' }),
        call('send_mail', { to: 'Ann', text: 'See the file.' }),
        'Ann knows.',
      ),
      answer({ decisions: [{ type: 'approve' }] }),
      say(call('read_file', { file_path: '/forecast.md' }), 'It is still there.'),
    ],
    last: 'It is still there.',
  },
];

/** Hands a task to a subagent, whose model follows the lines of the task. */
function forecast(city: string): string {
  const description = lines(call('get_weather', { city }), `${city} is sunny.`);
  return call('task', { description, subagent_type: 'forecaster' });
}

let sides: Sides;

beforeAll(async () => {
  sides = await Sides.open({
    copies: { 'agents.ts': 'test/outside/graphs/agents.ts' },
    graphs: Object.fromEntries(
      ['middleware', 'react', 'swarm', 'supervisor', 'deep'].map((name) => [name, `./agents.ts:${name}`]),
    ),
  });
}, 120_000);
afterAll(() => sides.close());

describe.each(CASES)('$name', ({ graph, turns, last, sideBySide }) => {
  it.each([false, true])(
    'tells and leaves the same as in-process (subgraphs: %s)',
    async (subgraphs) => {
      const { colloquy, inProcess } = await sides.both({ graph, turns, subgraphs });
      if (sideBySide) expect(byPlace(colloquy)).toEqual(byPlace(inProcess));
      else expect(colloquy).toEqual(inProcess);
      const { messages } = inProcess.state.values as { messages: { content: string }[] };
      expect(messages.at(-1)?.content).toBe(last);
    },
    60_000,
  );
});
