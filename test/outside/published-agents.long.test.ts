import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { call, lines } from './line-script.js';
import { Sides } from './sides.js';
import { byPlace, wordsOf, type Transcript, type Turn } from './transcript.js';

const say = (...all: string[]): Turn => ({ input: { messages: [{ role: 'user', content: lines(...all) }] } });
const answer = (resume: unknown): Turn => ({ command: { resume } });

interface Case {
  name: string;
  graph: string;
  turns: Turn[];
  /**
   * `asks` is the number of runs that end with a question. `said` lists what agents and tools say
   * in the final state. A test compares Colloquy with LangGraph alone. Without these checks it
   * would also pass if the graph did nothing in both of them.
   */
  asks: number;
  said: string[];
  /**
   * True if subagents run in parallel. The order of the events can then differ from one execution
   * to the next.
   */
  sideBySide?: true;
}

const OSLO = 'It is sunny in Oslo.';

const CASES: Case[] = [
  {
    name: 'createReactAgent of LangGraph: parallel tools, and a tool that asks a person',
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
    asks: 1,
    said: [
      'ai: get_weather, add',
      'tool: It is sunny in Oslo.',
      'tool: 3',
      'ai: ask_person',
      'tool: They said: enough',
      'ai: Sunny, and three.',
      'ai: You are welcome.',
    ],
  },
  {
    name: 'createAgent of LangChain: a person approves and rejects; long conversations are summarised',
    graph: 'middleware',
    turns: [
      say(
        `${call('get_weather', { city: 'Oslo' })} & ${call('send_mail', { to: 'Ann', text: 'Sunny' })}`,
        call('send_mail', { to: 'Bob', text: 'Sunny' }),
        'Ann and Bob know.',
      ),
      answer({ decisions: [{ type: 'approve' }] }),
      answer({ decisions: [{ type: 'approve' }] }),
      say(call('send_mail', { to: 'Eve', text: 'Sunny' }), 'Eve does not.'),
      answer({ decisions: [{ type: 'reject', message: 'Not to Eve.' }] }),
      say('Good bye.'),
    ],
    asks: 3,
    // The summary has replaced all earlier messages.
    said: ['ai: send_mail', 'tool: Not to Eve.', 'ai: Eve does not.', 'ai: Good bye.'],
  },
  {
    name: 'a swarm: agents hand the conversation to each other',
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
    asks: 0,
    said: [
      'ai: add',
      'tool: 3',
      'ai: transfer_to_bob',
      'tool: Successfully transferred to bob',
      'ai: get_weather',
      'tool: It is sunny in Oslo.',
      'ai: Three, and sunny.',
      'ai: transfer_to_alice',
      'tool: Successfully transferred to alice',
      'ai: add',
      'tool: 7',
      'ai: Seven.',
    ],
  },
  {
    name: 'a supervisor: it gives tasks to two agents, one of which asks a person',
    graph: 'supervisor',
    turns: [
      say(
        call('transfer_to_research'),
        call('ask_person', { question: 'Which scale?' }),
        'Twenty degrees.',
        // A model skips one line for each assistant message since the user's message, and answers
        // with the next line. At the supervisor's last call in this turn, there are three such
        // messages: the call of `transfer_to_research`, the text "Twenty degrees.", and a tool call
        // that leads back to the supervisor. So the supervisor answers with the fourth line. The
        // agent's call of `ask_person` does not count, because it is only in the agent's own state.
        'The supervisor says: twenty.',
      ),
      answer('Celsius'),
      say(call('transfer_to_math'), call('add', { a: 20, b: 2 }), '22', 'The supervisor says: 22.'),
    ],
    asks: 1,
    said: [
      'ai: transfer_to_research',
      'tool: Successfully transferred to research',
      'ai: Twenty degrees.',
      'ai: transfer_back_to_supervisor',
      'tool: Successfully transferred back to supervisor',
      'ai: The supervisor says: twenty.',
      'ai: transfer_to_math',
      'tool: Successfully transferred to math',
      'ai: 22',
      'ai: transfer_back_to_supervisor',
      'tool: Successfully transferred back to supervisor',
      'ai: The supervisor says: 22.',
    ],
  },
  {
    name: 'the functional API of LangGraph: parallel tasks, one of which asks a person',
    graph: 'functional',
    turns: [
      say(
        `${call('get_weather', { city: 'Oslo' })} & ${call('ask_person', { question: 'Enough?' })}`,
        'Sunny, and enough.',
      ),
      answer('yes'),
      say(call('get_weather', { city: 'Rome' }), 'There too.'),
    ],
    asks: 1,
    said: [
      'ai: get_weather, ask_person',
      'tool: It is sunny in Oslo.',
      'tool: They said: yes',
      'ai: Sunny, and enough.',
      'ai: get_weather',
      'tool: It is sunny in Rome.',
      'ai: There too.',
    ],
  },
  {
    name: 'a deep agent: todos, files, parallel subagents, and an approval',
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
    asks: 1,
    said: [
      'ai: write_todos',
      'tool: Updated todo list to [{"content":"forecast","status":"in_progress"}]',
      'ai: task, task',
      'tool: Oslo is sunny.',
      'tool: Rome is sunny.',
      'ai: write_file',
      "tool: Successfully wrote to '/forecast.md'",
      'ai: read_file, ls',
      'tool: @@ lines 1-1 of 1 @@\nIt is sunny in Oslo.',
      'tool: /forecast.md (20 bytes)',
      'ai: edit_file',
      "tool: Successfully replaced 1 occurrence(s) in '/forecast.md'",
      'ai: send_mail',
      'tool: Sent to Ann.',
      'ai: Ann knows.',
      'ai: read_file',
      'tool: @@ lines 1-1 of 1 @@\nIt is very sunny in Oslo.',
      'ai: It is still there.',
    ],
  },
];

/**
 * Returns a line of the script for the main model: a call of the subagent `forecaster`. The task in
 * this call is a script too. The model of the subagent answers with the lines of that script
 * ({@link followLines}).
 */
function forecast(city: string): string {
  const description = lines(call('get_weather', { city }), `${city} is sunny.`);
  return call('task', { description, subagent_type: 'forecaster' });
}

function endsInQuestion({ events }: Transcript['turns'][number]): boolean {
  return events.at(-1)?.includes('__interrupt__') ?? false;
}

let sides: Sides;

beforeAll(async () => {
  sides = await Sides.open({
    copies: { 'agents.ts': 'test/outside/graphs/agents.ts' },
    graphs: Object.fromEntries(
      ['middleware', 'react', 'swarm', 'supervisor', 'deep', 'functional'].map((name) => [name, `./agents.ts:${name}`]),
    ),
  });
}, 120_000);
afterAll(() => sides.close());

describe.each(CASES)('$name', ({ graph, turns, asks, said, sideBySide }) => {
  it.each([false, true])(
    'has the same events and final state as with LangGraph alone (stream of subgraphs: %s)',
    async (subgraphs) => {
      const { colloquy, inProcess } = await sides.both({ graph, turns, subgraphs });
      if (sideBySide) expect(byPlace(colloquy)).toEqual(byPlace(inProcess));
      else expect(colloquy).toEqual(inProcess);
      expect(inProcess.turns.map(({ error }) => error)).toEqual(turns.map(() => undefined));
      expect(inProcess.turns.filter(endsInQuestion)).toHaveLength(asks);
      expect(wordsOf(inProcess)).toEqual(said);
    },
    60_000,
  );
});

it('a thread has the same `updates` events and state as with LangGraph alone after a person edited a tool call', async () => {
  const turns = [
    say(call('send_mail', { to: 'Bob', text: 'Sunny' }), 'Bobby knows.'),
    answer({
      decisions: [{ type: 'edit', editedAction: { name: 'send_mail', args: { to: 'Bobby', text: 'Sunny' } } }],
    }),
  ];
  const { colloquy, inProcess } = await sides.both({ graph: 'middleware', turns, subgraphs: false });
  expect(wordsOf(inProcess)).toEqual(['ai: send_mail', 'tool: Sent to Bobby.', 'ai: Bobby knows.']);
  expect(colloquy.state).toEqual(inProcess.state);
  // Only the `updates` events are compared, not the `values` events. The middleware changes a
  // message object in place. With LangGraph alone, a `values` event may therefore show the change
  // before the `updates` event that reports it.
  const updates = ({ turns }: Transcript) =>
    turns.map(({ events }) => events.filter((one) => one.startsWith('updates')));
  expect(updates(colloquy)).toEqual(updates(inProcess));
}, 60_000);
