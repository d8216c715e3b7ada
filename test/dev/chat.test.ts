import { describe, it, expect, beforeAll, afterAll } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MongoClient } from 'mongodb';
import { toAnswer } from '../../dev/chat-answer.js';
import { createScreen, formatQuestion, formatToolCall } from '../../dev/chat-screen.js';
import { TurnPrinter, printTranscript } from '../../dev/chat-turn.js';
import { freePort } from '../../dev/ports.js';
import { supervise } from '../../dev/supervisor.js';
import type { Supervised } from '../../dev/supervisor.js';
import { RunningCommand } from '../support/colloquy.js';

/** A screen that is a string. */
function paper() {
  let written = '';
  const output = { write: (text: string) => (written += text), isTTY: false };
  return { screen: createScreen(output as never), read: () => written };
}

describe('what the chat shows', () => {
  it('writes text as it comes and a tool call in one line when it is whole', () => {
    const { screen, read } = paper();
    const printer = new TurnPrinter(screen);
    printer.message({ type: 'AIMessageChunk', id: 'a', content: 'Let me ' });
    printer.message({ type: 'AIMessageChunk', id: 'a', content: [{ type: 'text', text: 'look.' }] });
    printer.message({
      type: 'AIMessageChunk',
      id: 'a',
      tool_call_chunks: [{ index: 0, name: 'search', args: '{"q":' }],
    });
    printer.message({ type: 'AIMessageChunk', id: 'a', tool_call_chunks: [{ index: 0, args: '"Go"}' }] });
    printer.message({ type: 'tool', id: 't', content: 'three rows' });
    printer.message({ type: 'ai', id: 'b', content: 'Found three.' });
    printer.end();
    expect(read()).toBe('Let me look.\n· search {"q":"Go"}\nFound three.\n');
  });

  it('shortens a long tool call, and leaves out empty arguments', () => {
    expect(formatToolCall('now', {})).toBe('· now');
    expect(formatToolCall('save', { text: 'x'.repeat(200) })).toHaveLength(100);
  });

  it('shows a question with what it is about above it, and its choices', () => {
    expect(formatQuestion('Proceed?')).toEqual(['Proceed?']);
    const question = {
      type: 'approval',
      question: 'Send it?',
      draft: { to: 'Ada', body: 'one\ntwo' },
      actions: ['yes', 'no'],
    };
    expect(formatQuestion(question)).toEqual([
      '  draft:',
      '    to: Ada',
      '    body:',
      '      one',
      '      two',
      'Send it? [yes / no]',
    ]);
    expect(formatQuestion({ amount: 3 })).toEqual(['  amount: 3', 'Your answer?']);
  });

  it('tells how to answer where the last answer was not taken', () => {
    const question = { question: 'Send it?', answers: ['"yes"', '"no"'], actions: ['yes', 'no'] };
    expect(formatQuestion(question)).toEqual(['Send it? [yes / no]']);
    expect(formatQuestion({ ...question, problem: 'maybe is neither' })).toEqual([
      '  answers:',
      '    1: "yes"',
      '    2: "no"',
      '  problem: maybe is neither',
      'Send it? [yes / no]',
    ]);
  });

  it('writes no control character of a message, a question or an error to the terminal', () => {
    const { screen, read } = paper();
    const hostile = 'a\u001b]0;title\u0007b\u001b[2Jc\u009b2Jd\r\u007f\te';
    const printer = new TurnPrinter(screen);
    printer.message({ type: 'ai', id: 'a', content: hostile });
    printer.message({ type: 'ai', id: 'b', tool_calls: [{ name: hostile, args: {} }] });
    printer.end();
    printTranscript(screen, [{ type: 'human', content: hostile }]);
    formatQuestion({ question: hostile, [hostile]: hostile }).forEach((line) => screen.strong(line));
    screen.line(hostile);
    screen.dim(hostile);
    expect(read().split('\n')).toEqual([
      'a]0;titleb[2Jc2Jd\te',
      '· a]0;titleb[2Jc2Jd  e',
      '',
      '> a]0;titleb[2Jc2Jd\te',
      '  a]0;titleb[2Jc2Jd\te: a]0;titleb[2Jc2Jd\te',
      ...Array.from({ length: 3 }, () => 'a]0;titleb[2Jc2Jd\te'),
      '',
    ]);
  });

  it('takes an answer as JSON where it is JSON, else as text', () => {
    expect(toAnswer('?', 'approve')).toBe('approve');
    expect(toAnswer('?', 'true')).toBe(true);
    expect(toAnswer('?', '{"action":"edit"}')).toEqual({ action: 'edit' });
  });

  it('turns yes and anything else into decisions of the human-in-the-loop middleware', () => {
    const question = { actionRequests: [{ name: 'send' }, { name: 'pay' }], reviewConfigs: [] };
    expect(toAnswer(question, 'yes')).toEqual({ decisions: [{ type: 'approve' }, { type: 'approve' }] });
    expect(toAnswer(question, 'too expensive')).toEqual({
      decisions: [
        { type: 'reject', message: 'too expensive' },
        { type: 'reject', message: 'too expensive' },
      ],
    });
  });
});

describe('a chat while its answer is being written', () => {
  const database = `chat-${randomUUID()}`;
  const folder = mkdtempSync(join(tmpdir(), 'colloquy-chat-'));
  const uri = process.env.COLLOQUY_TEST_MONGODB_URI ?? '';
  const processes: Supervised[] = [];
  let api: Supervised;
  let url: string;

  beforeAll(async () => {
    const port = await freePort();
    url = `http://127.0.0.1:${port}`;
    const start = (name: string, args: string[]): Supervised => {
      const process = supervise({ name, args, environment, logFile: join(folder, `${name}.log`), say: () => {} });
      processes.push(process);
      return process;
    };
    api = start('api', ['api', '--port', String(port)]);
    start('worker', ['worker']);
    await Promise.all(processes.map((process) => process.ready));
  }, 60_000);

  const environment = {
    NODE_OPTIONS: '',
    TEMPORAL_ADDRESS: process.env.COLLOQUY_TEST_TEMPORAL_ADDRESS ?? '',
    MONGODB_URI: uri,
    MONGODB_DATABASE: database,
    COLLOQUY_TASK_QUEUE: database,
    COLLOQUY_MODEL: 'offline',
    COLLOQUY_OFFLINE_TOKEN_DELAY_MS: '50',
  };

  afterAll(async () => {
    await Promise.all(processes.map((process) => process.stop()));
    rmSync(folder, { recursive: true, force: true });
    const client = await MongoClient.connect(uri);
    await client.db(database).dropDatabase();
    await client.close();
  }, 60_000);

  it('stops the answer on Ctrl-C, takes the next message, and leaves on a Ctrl-C outside of one', async () => {
    const chat = new RunningCommand(['chat', '--url', url]);
    await chat.printed(/Talking to hiring-assistant/);
    chat.child.stdin.write('hello\n');
    await chat.printed(/Happy to help/);
    chat.signal('SIGINT');
    await chat.printed(/\(stopped\)/);
    expect(chat.stdout).not.toMatch(/for what does not matter/);
    chat.child.stdin.write('hello again\n/threads\n');
    await chat.printed(/\(stopped\)[^]*for what does not matter[^]*^\* [0-9a-f]{8} .* idle +hello$/m);
    chat.signal('SIGINT');
    expect((await chat.finished).code).toBe(0);
  }, 60_000);

  it('goes on where it was when the API died in the middle and came back', async () => {
    const chat = new RunningCommand(['chat', '--url', url]);
    chat.child.stdin.write('hello\n');
    await chat.printed(/Happy to help/);
    api.signal('SIGKILL');
    chat.child.stdin.end('/threads\n');
    const { code, stdout } = await chat.finished;
    expect(code).toBe(0);
    expect(stdout.match(/Happy to help/g)).toHaveLength(1);
    expect(stdout).toMatch(/Say "any" for what does not matter\.\n/);
    expect(stdout).toMatch(/^\* [0-9a-f]{8} .* idle +hello$/m);
  }, 60_000);
});
