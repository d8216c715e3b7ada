import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Command, MemorySaver } from '@langchain/langgraph';
import { createHiringAssistant } from '../../agents/hiring-assistant/graph.js';
import { offlineRules } from '../../agents/hiring-assistant/offline-rules.js';
import { createChatModel } from '../../agents/model.js';
import { MemoryOutbox } from '../../agents/outbox.js';
import { HIRING_RULE } from '../support/hiring-script.js';
import { ModelServer } from '../support/model-server.js';

let server: ModelServer;
beforeAll(async () => {
  server = await ModelServer.start();
});
afterEach(() => server.reset());
afterAll(() => server.close());

const connect = () =>
  createChatModel({ model: 'openai:scripted', baseUrl: server.url, apiKey: 'test-key' }, offlineRules);

describe('a chat model that calls the OpenAI API', () => {
  it('sends the model name, the API key and the messages', async () => {
    const model = await connect();
    const answer = await model.invoke('hello');
    expect(answer.text).toBe('Answer to "hello".');
    const [exchange] = server.exchanges;
    expect(exchange?.headers.authorization).toBe('Bearer test-key');
    expect(exchange?.body).toMatchObject({ model: 'scripted', messages: [{ role: 'user', content: 'hello' }] });
  });

  it('streams the reply token by token', async () => {
    const tokens: string[] = [];
    for await (const chunk of await (await connect()).stream('hello there')) tokens.push(chunk.text);
    expect(tokens.filter((token) => token !== '')).toEqual(['Answer ', 'to ', '"hello ', 'there".']);
  });

  it("throws an error with the HTTP status of the server's answer, and does not retry", async () => {
    const model = await connect();
    for (const status of [401, 500, 503]) {
      server.reset();
      server.add({ reply: { status } });
      await expect(model.invoke('hello')).rejects.toMatchObject({ status });
      expect(server.exchanges).toHaveLength(1);
    }
  });

  it('keeps the header Retry-After in the error that it throws after status 429', async () => {
    server.add({ reply: { status: 429, retryAfterSeconds: 7 } });
    const error = await (await connect())
      .invoke('hello')
      .catch((thrown: unknown) => thrown as { status: number; headers: Headers });
    expect(error).toMatchObject({ status: 429 });
    expect((error as { headers: Headers }).headers.get('retry-after')).toBe('7');
  });

  it('fails when the connection is cut in the middle of the answer', async () => {
    server.add({ reply: { text: 'one two three four', cutAfter: 2 } });
    const tokens: string[] = [];
    const read = async () => {
      for await (const chunk of await (await connect()).stream('hello')) tokens.push(chunk.text);
    };
    await expect(read()).rejects.toThrow();
    expect(tokens.join('')).toContain('one');
    expect(await server.exchanges[0]?.ended).toBe('cut');
  });

  it('aborts its request when the caller aborts', async () => {
    server.add({ reply: { text: 'one two three', stallAfter: 1 } });
    const abort = new AbortController();
    const answer = (await connect()).invoke('hello', { signal: abort.signal }).catch((error: unknown) => error);
    const exchange = await server.exchange(0);
    await exchange.stalled;
    abort.abort();
    expect(await exchange.ended).toBe('aborted');
    expect(await answer).toBeInstanceOf(Error);
  });
});

describe('the hiring assistant with a model that is called over HTTP', () => {
  it('asks for criteria, searches, drafts a message, waits for approval, and sends the message once', async () => {
    server.add(HIRING_RULE);
    const outbox = new MemoryOutbox();
    const graph = createHiringAssistant({ model: await connect(), outbox });
    graph.checkpointer = new MemorySaver();
    const config = { configurable: { thread_id: 'thread-1' } };
    const say = (text: string) => graph.invoke({ messages: [{ role: 'user', content: text }] }, config);

    expect((await say('I want to hire')).messages.at(-1)?.text).toContain('Which role');
    const found = await say('a senior backend engineer with TypeScript and Kafka in Lisbon');
    expect(found.messages.at(-1)?.text).toContain('Ana Silva');
    await say('contact Ana');
    const done = await graph.invoke(new Command({ resume: 'approve' }), config);
    expect(done.messages.at(-1)?.text).toContain('Sent to Ana Silva.');
    expect(outbox.messages).toHaveLength(1);

    const instructions = server.exchanges.flatMap(({ body }) => instructionsOf(body as unknown as ModelRequest));
    expect(instructions.filter((text) => text.includes('Draft a '))).not.toEqual([]);
    // The texts for the model are in plain English, without type names of the code such as
    // `MessageDraft`. Renaming a type can put its name into such a text by mistake.
    const names = instructions.flatMap((text) => text.match(/\b[A-Z][a-z]+[A-Z]\w*/g) ?? []);
    expect(names.filter((name) => name !== 'TypeScript')).toEqual([]);
  });
});

interface ModelRequest {
  messages: { role: string; content: string }[];
  tools?: { function: { description: string } }[];
}

/** Returns the texts that the assistant gives to the model: prompts and descriptions of tools. */
function instructionsOf({ messages, tools = [] }: ModelRequest): string[] {
  const prompts = messages
    .filter(({ role }) => role === 'system' || role === 'developer')
    .map(({ content }) => content);
  return [...prompts, ...tools.map((tool) => tool.function.description)];
}
