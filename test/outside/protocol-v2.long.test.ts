import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { resolve } from 'node:path';
import type { ProtocolEvent } from '../../api/protocol-v2/events.js';
import { ServiceProcesses } from '../support/house.js';
import { ProtocolReader, isTerminal, outline } from '../support/protocol-reader.js';
import { startReference } from '../support/reference-server.js';

const PROJECT = resolve('test/fixtures/projects/protocol');
const ALL = ['values', 'updates', 'messages', 'tools', 'lifecycle', 'input', 'checkpoints', 'tasks', 'custom'];

describe('protocol v2', () => {
  const house = new ServiceProcesses(`${PROJECT}/langgraph.json`);
  let reference: Awaited<ReturnType<typeof startReference>>;
  let url: string;

  beforeAll(async () => {
    const [started, api] = await Promise.all([startReference(PROJECT), house.api(), house.worker()]);
    reference = started;
    ({ url } = api);
  }, 120_000);
  afterAll(async () => {
    reference.stop();
    await house.stop();
  }, 60_000);

  /**
   * Returns the events of a run. If the run asks a question, answers it and also returns the events
   * of the next run.
   */
  async function talk(base: string, assistant: string, text: string): Promise<ProtocolEvent[]> {
    const reader = await ProtocolReader.open(base, randomUUID(), { channels: ALL });
    const input = { messages: [{ role: 'user', id: 'u1', content: text }] };
    await reader.command('run.start', { assistant_id: assistant, input });
    const events = await reader.until(isTerminal);
    const asked = events.find(({ method }) => method === 'input.requested');
    if (!asked) return events;
    const { interrupt_id } = asked.params.data as { interrupt_id: string };
    await reader.command('input.respond', { namespace: [], interrupt_id, response: 'yes' });
    const all = await reader.until(isTerminal, 2);
    reader.close();
    return all;
  }

  it.each([
    ['desk', 'hi'],
    ['desk', 'really?'],
    ['failing', 'hi'],
  ])('sends the same events as LangGraph’s own server for assistant %s and message "%s"', async (assistant, text) => {
    const [there, here] = await Promise.all([talk(reference.url, assistant, text), talk(url, assistant, text)]);
    const ours = here.filter(({ method }) => method !== 'input.answered');
    expect(ours.map(outline)).toEqual(there.map(outline));
    ours.forEach((event, at) => expect(shape(event)).toEqual(shape(there[at])));
  });
});

/**
 * Returns the method and data of an event in a form that can be compared between two servers. Ids
 * are replaced. Of `metadata`, only the type remains, because `metadata` names the server.
 */
function shape(event: ProtocolEvent | undefined): unknown {
  if (!event) return undefined;
  const data = event.params.data as { event?: string };
  // LangGraph's own server writes the whole error as JSON, so only the keys of the data are
  // compared.
  if (data.event === 'failed') return [event.method, Object.keys(data)];
  const text = JSON.stringify(data, (key, value: unknown) => (key === 'metadata' ? typeof value : value));
  return [
    event.method,
    JSON.parse(text.replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{32}/g, 'ID')),
  ];
}
