import { call, lines } from './line-script.js';
import type { Turn } from './transcript.js';

/** A conversation with a graph whose nodes are slow, and what must be true on both sides. */
export interface TurnCase {
  name: string;
  graph: string;
  turns: Turn[];
  /** What agents and tools say in the final state. */
  said?: string[];
  /** Some fields of the final state. */
  state?: Record<string, unknown>;
  /** The error of each turn that fails, with the index of the turn as key. */
  errors?: Record<number, string>;
  /** The root of the callbacks in each turn, and how it ended. Default: it ended without error. */
  roots?: string[];
  /** True if tasks run in parallel. The order of events can then differ from one run to the next. */
  sideBySide?: true;
}

const say = (...all: string[]): Turn => ({ input: { messages: [{ role: 'user', content: lines(...all) }] } });
const answer = (resume: unknown): Turn => ({ command: { resume } });

const OSLO = { city: 'Oslo' };
const weather = call('get_weather', OSLO);
const extract = call('extract_city', OSLO);

const USED = ['ai: get_weather', 'tool: It is sunny in Oslo.'];
const EXTRACTED = ['ai: extract_city', 'tool: {"city":"Oslo"}', 'ai: Returning structured response: {"city":"Oslo"}'];
const REPORT = 'ai: structured: {"city":"Oslo"}';

const BY_TOOL: TurnCase = {
  name: 'createAgent with toolStrategy and a hook after the agent',
  graph: 'byTool',
  turns: [say(weather, extract), say(extract)],
  said: [...USED, ...EXTRACTED, REPORT, ...EXTRACTED, REPORT],
};
const HOOKED: TurnCase = {
  name: 'createAgent with own hooks that share a live object in private state',
  graph: 'hooked',
  turns: [say(weather, weather, 'Sunny.'), say('Bye.')],
  said: [...USED, ...USED, 'ai: Sunny.', 'ai: Bye.'],
  state: {
    seen: [
      'before agent without session',
      'before model 1',
      'after model 3',
      'before model 5',
      'after model 7',
      'before model 9',
      'after model 11',
      'after agent 12',
      // A stored session has no methods.
      'before agent without session',
      'before model 1',
      'after model 3',
      'after agent 4',
    ],
  },
};

export const AGENT_CASES: TurnCase[] = [
  BY_TOOL,
  HOOKED,
  {
    name: 'createAgent with providerStrategy',
    graph: 'byProvider',
    turns: [say(JSON.stringify(OSLO)), say(JSON.stringify({ city: 'Rome' }))],
    said: ['ai: {"city":"Oslo"}', REPORT, 'ai: {"city":"Rome"}', 'ai: structured: {"city":"Rome"}'],
  },
  {
    name: 'createAgent with modelCallLimitMiddleware',
    graph: 'limited',
    turns: [say(weather, extract), say(weather, extract), say(weather, 'Never.')],
    said: [
      ...[...USED, ...EXTRACTED],
      ...[...USED, ...EXTRACTED],
      ...USED,
      'ai: Model call limits exceeded: thread level call limit reached with 5 model calls',
    ],
    state: { threadModelCallCount: 5, runModelCallCount: 1 },
  },
  {
    name: 'createAgent with todos, a limit, summaries, approvals and structured output',
    graph: 'together',
    turns: [
      say(
        call('write_todos', { todos: [{ content: 'forecast', status: 'in_progress' }] }),
        weather,
        call('send_mail', { to: 'Ann', text: 'Sunny' }),
        extract,
      ),
      answer({ decisions: [{ type: 'approve' }] }),
      say(weather, extract),
    ],
    said: [...EXTRACTED, REPORT, ...USED, ...EXTRACTED, REPORT],
    state: { todos: [{ content: 'forecast', status: 'in_progress' }], threadModelCallCount: 6, runModelCallCount: 0 },
  },
  {
    name: 'a supervisor of agents with hooks and structured output',
    graph: 'supervised',
    turns: [
      say(call('transfer_to_calculator'), call('add', { a: 1, b: 2 }), 'Three.', 'It is three.'),
      say(call('transfer_to_weatherman'), extract, 'Oslo.', 'It is Oslo.'),
    ],
    said: [
      'ai: transfer_to_calculator',
      'tool: Successfully transferred to calculator',
      'ai: Three.',
      'ai: transfer_back_to_supervisor',
      'tool: Successfully transferred back to supervisor',
      'ai: It is three.',
      'ai: transfer_to_weatherman',
      'tool: Successfully transferred to weatherman',
      REPORT,
      'ai: transfer_back_to_supervisor',
      'tool: Successfully transferred back to supervisor',
      'ai: It is Oslo.',
    ],
  },
  {
    name: 'a swarm of agents with hooks and a limit',
    graph: 'swarming',
    turns: [
      say(call('add', { a: 1, b: 2 }), call('transfer_to_bob'), weather, 'Sunny.'),
      say(call('transfer_to_alice'), 'I am Alice.'),
    ],
    said: [
      'ai: add',
      'tool: 3',
      'ai: transfer_to_bob',
      'tool: Successfully transferred to bob',
      ...USED,
      'ai: Sunny.',
      'ai: transfer_to_alice',
      'tool: Successfully transferred to alice',
      'ai: I am Alice.',
    ],
    state: { activeAgent: 'alice' },
  },
  {
    name: 'a deep agent with files, parallel subagents, an approval and structured output',
    graph: 'deepSlow',
    sideBySide: true,
    turns: [
      say(
        `${forecast('Oslo')} & ${forecast('Rome')}`,
        call('write_file', { file_path: '/forecast.md', content: 'Sunny.' }),
        call('send_mail', { to: 'Ann', text: 'See the file.' }),
        extract,
      ),
      answer({ decisions: [{ type: 'approve' }] }),
      say(call('read_file', { file_path: '/forecast.md' }), extract),
    ],
    said: [
      'ai: task, task',
      'tool: Oslo is sunny.',
      'tool: Rome is sunny.',
      'ai: write_file',
      "tool: Successfully wrote to '/forecast.md'",
      'ai: send_mail',
      'tool: Sent to Ann.',
      ...[...EXTRACTED, REPORT],
      'ai: read_file',
      'tool: @@ lines 1-1 of 1 @@\nSunny.',
      ...[...EXTRACTED, REPORT],
    ],
  },
];

/** A call of the subagent. Its task is a script too, which the model of the subagent follows. */
function forecast(city: string): string {
  const description = lines(call('get_weather', { city }), `${city} is sunny.`);
  return call('task', { description, subagent_type: 'forecaster' });
}

const TRACED: TurnCase = {
  name: 'callbacks of models, tools, chains and subgraphs',
  graph: 'traced',
  turns: [{ input: { fails: false } }, { input: { fails: false } }],
  state: { log: ['one', 'Hello.', '4', 'done!', 'Hello again.', 'slow_inner', 'quick', 'last'] },
};
const FAILING: TurnCase = {
  name: 'callbacks of a turn that fails',
  graph: 'traced',
  turns: [{ input: { fails: true } }, { input: { fails: false } }],
  errors: { 0: 'as the input wants' },
  roots: ['chain LangGraph: TypeError: as the input wants', 'chain LangGraph: end'],
};
const ASKING: TurnCase = {
  name: 'callbacks of a turn that asks',
  graph: 'asking',
  turns: [{ input: { log: [] } }, answer('yes')],
  state: { log: ['slow', 'yes', 'slow_end'] },
};

export const CALL_CASES: TurnCase[] = [
  TRACED,
  FAILING,
  ASKING,
  {
    name: 'callbacks of parallel tasks and a subgraph beside them',
    graph: 'parallel',
    turns: [{ input: { log: [] } }],
    sideBySide: true,
  },
  {
    name: 'callbacks of the functional API',
    graph: 'functionalTraced',
    turns: [{ input: { n: 1 } }],
    roots: ['chain functional_traced: end'],
  },
];

/** The cases of the normal tests. */
export const QUICK_AGENT_CASES = [BY_TOOL, HOOKED];
export const QUICK_CALL_CASES = [TRACED, FAILING, ASKING];
