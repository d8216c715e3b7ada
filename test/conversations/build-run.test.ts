import { describe, expect, it } from '@jest/globals';
import { buildMetadata, buildRequest } from '../../conversations/build-run.js';
import type { Assistant, Thread } from '../../protocol/index.js';

const AT = new Date('2026-01-01T00:00:00Z');
const PLACE = { threadId: '0199aaaa-0000-7000-8000-000000000001', runId: '0199aaaa-0000-7000-8000-000000000002' };

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
  createdAt: AT,
  updatedAt: AT,
};

const THREAD: Thread = {
  tenant: 'default',
  threadId: PLACE.threadId,
  status: 'idle',
  metadata: { who: 'thread', t: 1 },
  config: { recursion_limit: 6, configurable: { who: 'thread', t: 1 } },
  interrupts: {},
  createdAt: AT,
  updatedAt: AT,
  stateUpdatedAt: AT,
};

describe('what a run is asked for', () => {
  it('is a command also where an empty input stands beside it, as Agent Chat UI writes it', () => {
    const body = { assistant_id: 'echo', input: {}, command: { resume: 'yes' } };
    const request = buildRequest(body, ASSISTANT, THREAD, PLACE);
    expect(request.command).toEqual({ resume: 'yes' });
    expect(request).not.toHaveProperty('input');
    expect(() => buildRequest({ ...body, input: { a: 1 } }, ASSISTANT, THREAD, PLACE)).toThrow('not both');
  });

  it('comes from assistant, thread and request, the later before the earlier', () => {
    const body = {
      assistant_id: 'echo',
      config: { configurable: { who: 'run', r: 1 } },
      context: { who: 'run', r: 1 },
    };
    const request = buildRequest(body, ASSISTANT, THREAD, PLACE);
    expect(request.config).toEqual({
      tags: ['assistant'],
      recursion_limit: 6,
      configurable: {
        who: 'run',
        a: 1,
        t: 1,
        r: 1,
        thread_id: PLACE.threadId,
        run_id: PLACE.runId,
        assistant_id: ASSISTANT.assistantId,
        graph_id: 'echo',
      },
    });
    expect(request.context).toEqual({ who: 'run', a: 1, r: 1 });
  });

  it('has the metadata of all three, and of the config', () => {
    const body = { assistant_id: 'echo', config: { metadata: { c: 1, who: 'config' } }, metadata: { who: 'run' } };
    expect(buildMetadata(body, ASSISTANT, THREAD)).toEqual({ a: 1, t: 1, c: 1, who: 'run' });
  });

  it('takes a checkpoint from where LangGraph keeps it', () => {
    const configurable = { checkpoint_id: 'c1', checkpoint_ns: 'child:1', thread_id: PLACE.threadId };
    const request = buildRequest({ assistant_id: 'echo', config: { configurable } }, ASSISTANT, THREAD, PLACE);
    expect(request.checkpoint).toEqual({ checkpointId: 'c1', checkpointNs: 'child:1' });
    expect(request.config.configurable).not.toHaveProperty('checkpoint_id');
  });

  it('has nothing of the engine that an assistant was once stored with', () => {
    const assistant = { ...ASSISTANT, config: { configurable: { __pregel_resuming: true, who: 'assistant' } } };
    const { config } = buildRequest({ assistant_id: 'echo' }, assistant, THREAD, PLACE);
    expect(config.configurable).not.toHaveProperty('__pregel_resuming');
  });

  it('tells LangGraph to refuse an answer that nobody asked for, where the client wants that', () => {
    const body = { assistant_id: 'echo', command: { resume: null }, strict_resume: true };
    const request = buildRequest(body, ASSISTANT, THREAD, PLACE);
    expect(request.config.configurable).toMatchObject({ __pregel_strict_resume: true });
    expect(request.command).toEqual({ resume: null });
  });

  it('keeps a context that is no object as it is', () => {
    const request = (context: unknown) => buildRequest({ assistant_id: 'echo', context }, ASSISTANT, THREAD, PLACE);
    expect(request('plain').context).toBe('plain');
    expect(request(undefined).context).toEqual({ who: 'assistant', a: 1 });
  });

  it('tells each mode once', () => {
    const modes = (stream_mode: ('values' | 'updates')[]) =>
      buildRequest({ assistant_id: 'echo', stream_mode }, ASSISTANT, THREAD, PLACE).streamModes;
    expect(modes(['updates', 'values', 'updates'])).toEqual(['updates', 'values']);
    expect(modes([])).toEqual(['values']);
  });
});
