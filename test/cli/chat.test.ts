import { describe, it, expect, beforeAll, afterAll } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MongoClient } from 'mongodb';
import { parseAnswer } from '../../cli/chat/answer-parser.js';
import { formatQuestion } from '../../cli/chat/question.js';
import { createScreen, formatToolCall } from '../../cli/chat/screen.js';
import { TurnPrinter, printTranscript } from '../../cli/chat/turn.js';
import { freePort } from '../../servers/ports.js';
import { supervise } from '../../cli/dev/supervise.js';
import type { Supervised } from '../../cli/dev/supervise.js';
import { RunningCommand } from '../support/colloquy.js';

/** Creates a screen that writes to a string. `read` returns the string. */
function createTextScreen() {
  let written = '';
  const output = { write: (text: string) => (written += text), isTTY: false };
  return { screen: createScreen(output as never), read: () => written };
}

describe('colloquy chat', () => {
  it('prints text as it arrives, and each tool call in one line when the call is complete', () => {
    const { screen, read } = createTextScreen();
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

  it('shortens a long tool call, and omits empty arguments', () => {
    expect(formatToolCall('now', {})).toBe('· now');
    expect(formatToolCall('save', { text: 'x'.repeat(200) })).toHaveLength(100);
  });

  it("prints the question and choices of an interrupt below the other fields of the interrupt's value", () => {
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

  it("prints the field `answers` of an interrupt's value only if the value has a field `problem` about the last answer", () => {
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

  it('removes control characters from messages, questions and errors', () => {
    const { screen, read } = createTextScreen();
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

  it('parses an answer as JSON if it is valid JSON, and keeps it as text if it is not', () => {
    expect(parseAnswer('?', 'approve')).toBe('approve');
    expect(parseAnswer('?', 'true')).toBe(true);
    expect(parseAnswer('?', '{"action":"edit"}')).toEqual({ action: 'edit' });
  });

  it("turns an answer to LangChain's human-in-the-loop middleware into one decision for each action", () => {
    const question = { actionRequests: [{ name: 'send' }, { name: 'pay' }], reviewConfigs: [] };
    expect(parseAnswer(question, 'yes')).toEqual({ decisions: [{ type: 'approve' }, { type: 'approve' }] });
    expect(parseAnswer(question, 'too expensive')).toEqual({
      decisions: [
        { type: 'reject', message: 'too expensive' },
        { type: 'reject', message: 'too expensive' },
      ],
    });
  });
});

describe('colloquy chat while it prints the text of a run', () => {
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
      const process = supervise({
        name,
        args,
        environment,
        logFile: join(folder, `${name}.log`),
        onProgress: () => {},
      });
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

  it('cancels the run on Ctrl-C, accepts the next message, and ends on Ctrl-C at the prompt', async () => {
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

  it('prints the rest of the text after the API process was killed and restarted', async () => {
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
