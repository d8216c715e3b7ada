import { describe, expect, it } from '@jest/globals';
import { buildMetadata, buildRequest } from '../../conversations/build-run.js';
import type { Assistant, Thread } from '../../protocol/index.js';

const CREATED_AT = new Date('2026-01-01T00:00:00Z');
const IDS = { threadId: '0199aaaa-0000-7000-8000-000000000001', runId: '0199aaaa-0000-7000-8000-000000000002' };

const ASSISTANT: Assistant = {
  tenant: 'default',
  assistantId: '0199aaaa-0000-7000-8000-00000000000a',
  graphId: 'echo',
  name: 'echo',
  description: null,
  config: { tags: ['assistant'], recursion_limit: 5, configurable: { who: 'assistant', a: 1, checkpoint_id: 'old' } },
  context: { who: 'assistant', a: 1 },
  metadata: { who: 'assistant', a: 1 },
  version: 1,
  isSystem: false,
  createdAt: CREATED_AT,
  updatedAt: CREATED_AT,
};

const THREAD: Thread = {
  tenant: 'default',
  threadId: IDS.threadId,
  status: 'idle',
  metadata: { who: 'thread', t: 1 },
  config: { recursion_limit: 6, configurable: { who: 'thread', t: 1 } },
  interrupts: {},
  createdAt: CREATED_AT,
  updatedAt: CREATED_AT,
  stateUpdatedAt: CREATED_AT,
};

describe('the stored request of a run (RunRequest)', () => {
  it('has the command and no input if the client sends a command and an empty input, as Agent Chat UI does', () => {
    const body = { assistant_id: 'echo', input: {}, command: { resume: 'yes' } };
    const request = buildRequest(body, ASSISTANT, THREAD, IDS);
    expect(request.command).toEqual({ resume: 'yes' });
    expect(request).not.toHaveProperty('input');
    expect(() => buildRequest({ ...body, input: { a: 1 } }, ASSISTANT, THREAD, IDS)).toThrow('not both');
  });

  it('merges config and context; the client overrides the thread, and the thread overrides the assistant', () => {
    const body = {
      assistant_id: 'echo',
      config: { configurable: { who: 'run', r: 1 } },
      context: { who: 'run', r: 1 },
    };
    const request = buildRequest(body, ASSISTANT, THREAD, IDS);
    expect(request.config).toEqual({
      tags: ['assistant'],
      recursion_limit: 6,
      configurable: {
        who: 'run',
        a: 1,
        t: 1,
        r: 1,
        thread_id: IDS.threadId,
        run_id: IDS.runId,
        assistant_id: ASSISTANT.assistantId,
        graph_id: 'echo',
      },
    });
    expect(request.context).toEqual({ who: 'run', a: 1, r: 1 });
  });

  it('comes with metadata that are merged from assistant, thread, config and body; the last of these wins', () => {
    const body = { assistant_id: 'echo', config: { metadata: { c: 1, who: 'config' } }, metadata: { who: 'run' } };
    expect(buildMetadata(body, ASSISTANT, THREAD)).toEqual({ a: 1, t: 1, c: 1, who: 'run' });
  });

  it('takes the checkpoint from configurable (checkpoint_id, checkpoint_ns), and has no checkpoint_id in its own configurable', () => {
    const configurable = { checkpoint_id: 'c1', checkpoint_ns: 'child:1', thread_id: IDS.threadId };
    const request = buildRequest({ assistant_id: 'echo', config: { configurable } }, ASSISTANT, THREAD, IDS);
    expect(request.checkpoint).toEqual({ checkpointId: 'c1', checkpointNs: 'child:1' });
    expect(request.config.configurable).not.toHaveProperty('checkpoint_id');
  });

  it("leaves out LangGraph's internal keys, such as __pregel_resuming, from the config of an assistant", () => {
    const assistant = { ...ASSISTANT, config: { configurable: { __pregel_resuming: true, who: 'assistant' } } };
    const { config } = buildRequest({ assistant_id: 'echo' }, assistant, THREAD, IDS);
    expect(config.configurable).not.toHaveProperty('__pregel_resuming');
  });

  it('passes strict_resume to LangGraph', () => {
    const body = { assistant_id: 'echo', command: { resume: null }, strict_resume: true };
    const request = buildRequest(body, ASSISTANT, THREAD, IDS);
    expect(request.config.configurable).toMatchObject({ __pregel_strict_resume: true });
    expect(request.command).toEqual({ resume: null });
  });

  it("has only the client's context if that context is not an object, because only objects can be merged", () => {
    const request = (context: unknown) => buildRequest({ assistant_id: 'echo', context }, ASSISTANT, THREAD, IDS);
    expect(request('plain').context).toBe('plain');
    expect(request(undefined).context).toEqual({ who: 'assistant', a: 1 });
  });

  it('lists each stream mode once', () => {
    const modes = (stream_mode: ('values' | 'updates')[]) =>
      buildRequest({ assistant_id: 'echo', stream_mode }, ASSISTANT, THREAD, IDS).streamModes;
    expect(modes(['updates', 'values', 'updates'])).toEqual(['updates', 'values']);
    expect(modes([])).toEqual(['values']);
  });
});
