import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { resolve } from 'node:path';
import { Client } from '@langchain/langgraph-sdk';
import { ServiceProcesses } from '../support/house.js';
import { Receiver } from '../support/receiver.js';

describe('the feedback keys of a run', () => {
  let langSmith: Receiver;
  let house: ServiceProcesses;
  let client: Client;
  beforeAll(async () => {
    langSmith = await Receiver.start();
    house = new ServiceProcesses(resolve('test/fixtures/projects/talk/langgraph.json'), {
      LANGSMITH_API_KEY: 'key of the account',
      LANGSMITH_ENDPOINT: langSmith.url,
    });
    const [, api] = await Promise.all([house.worker(), house.api()]);
    client = new Client({ apiUrl: api.url, apiKey: null });
  }, 60_000);
  afterAll(async () => {
    await house.stop();
    await langSmith.close();
  });

  async function told(feedbackKeys: string[]): Promise<{ events: string[]; feedback: unknown; runId: string }> {
    const { thread_id: threadId } = await client.threads.create();
    const events: string[] = [];
    let feedback: unknown;
    let runId = '';
    const stream = client.runs.stream(threadId, 'talk', {
      input: { log: ['hello'] },
      streamMode: 'updates',
      feedbackKeys,
    });
    for await (const { event, data } of stream) {
      events.push(event);
      if (event === 'metadata') runId = (data as { run_id: string }).run_id;
      if ((event as string) === 'feedback') feedback = data;
    }
    return { events, feedback, runId };
  }

  it('each get a URL from LangSmith; the last event of the stream contains these URLs', async () => {
    langSmith.reply = (n) => ({ status: 200, body: JSON.stringify({ url: `https://smith.example/feedback/${n}` }) });
    const { events, feedback, runId } = await told(['helpful', 'tone']);
    expect(events.at(-1)).toBe('feedback');
    expect(Object.keys(feedback as object)).toEqual(['helpful', 'tone']);
    expect(Object.values(feedback as object).sort()).toEqual([
      'https://smith.example/feedback/1',
      'https://smith.example/feedback/2',
    ]);
    const asked = langSmith.received.map(({ path, body }) => ({ path, ...(JSON.parse(body) as object) }));
    expect(asked).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ path: '/feedback/tokens', run_id: runId, feedback_key: 'helpful' }),
        expect.objectContaining({ path: '/feedback/tokens', run_id: runId, feedback_key: 'tone' }),
      ]),
    );
    expect(langSmith.received.map(({ headers }) => headers['x-api-key'])).toEqual(Array(2).fill('key of the account'));
  });

  it('are left out of the last event if LangSmith gives no URL for them', async () => {
    langSmith.reply = () => ({ status: 404 });
    const { events, feedback } = await told(['helpful']);
    expect(events.at(-1)).toBe('feedback');
    expect(feedback).toEqual({});
  });

  it('cause no request to LangSmith if their list is empty', async () => {
    const before = langSmith.received.length;
    const { events } = await told([]);
    expect(events).not.toContain('feedback');
    expect(langSmith.received).toHaveLength(before);
  });
});
