import { describe, expect, it } from '@jest/globals';
import { ApplicationFailure } from '@temporalio/common';
import { webhookId } from '../../protocol/index.js';
import { FAILURES } from '../../workflows/contract.js';
import { inEveryMode } from './harness.js';
import { asks, gate } from './script.js';
import type { Call, Talk } from './world.js';

const isDelivery = (call: Call): call is Extract<Call, { name: 'deliverWebhook' }> => call.name === 'deliverWebhook';

/** Returns the attempts to deliver webhooks in their order, each as run id and attempt number. */
function deliveries(talk: Talk): string[] {
  return talk.calls.filter(isDelivery).map((call) => `${call.task.runId} ${call.attempt}`);
}

function delivered(talk: Talk, runId: string, attempt = 1): Promise<Call> {
  return talk.call((call) => isDelivery(call) && call.task.runId === runId && call.attempt === attempt);
}

inEveryMode((world) => {
  /**
   * Creates a conversation. `result` returns the result of the workflow that delivers the webhook
   * of a run.
   */
  function talkWith(): { talk: Talk; result: (runId: string) => Promise<unknown> } {
    const talk = world().talk();
    const result = (runId: string) => world().client.workflow.getHandle(webhookId('workflows-test', runId)).result();
    return { talk, result };
  }

  const id = (name: string, talk: Talk) => `${name}-${talk.threadId}`;

  describe('a webhook', () => {
    it('is delivered after the end of its run, whatever the status; a run without a webhook delivers nothing', async () => {
      const { talk } = talkWith();
      const [good, asking, failing, quiet] = ['good', 'asking', 'failing', 'quiet'].map((name) => id(name, talk));
      talk.steps.set(asking as string, () => asks({ id: 'i1' }));
      talk.steps.set(failing as string, () => {
        throw ApplicationFailure.create({ type: FAILURES.graph, details: [{ error: 'TypeError', message: 'no' }] });
      });
      for (const runId of [good, asking, failing]) await talk.submit(runId as string, { webhook: true });
      await talk.submit(quiet as string);
      await talk.until((view) => view.turns === 4 && view.status === 'idle');
      for (const runId of [good, asking, failing]) await delivered(talk, runId as string);
      expect(deliveries(talk).sort()).toEqual([`${asking} 1`, `${failing} 1`, `${good} 1`]);
    });

    it('does not delay later runs, and is sent again until the receiver accepts it', async () => {
      const { talk, result } = talkWith();
      const [first, second] = [id('first', talk), id('second', talk)];
      let up = false;
      talk.deliver = async () => {
        if (!up) throw ApplicationFailure.create({ type: 'http_503', message: 'later', nextRetryDelay: '200ms' });
        return true;
      };
      await talk.submit(first, { webhook: true });
      await delivered(talk, first);
      await talk.submit(second);
      await talk.until((view) => view.last?.runId === second);
      await talk.close();
      await talk.handle.result();
      up = true;
      expect(await result(first)).toBe(true);
    });

    it('is delivered after its run was cancelled, even if the run had not started', async () => {
      const { talk } = talkWith();
      const [working, waiting] = [id('working', talk), id('waiting', talk)];
      talk.steps.set(working, gate().step);
      await talk.submit(working, { webhook: true });
      await talk.submit(waiting, { webhook: true });
      await talk.call((call) => call.name === 'runStep');
      await talk.close();
      await talk.handle.result();
      await Promise.all([working, waiting].map((runId) => delivered(talk, runId)));
      expect(deliveries(talk).sort()).toEqual([`${waiting} 1`, `${working} 1`]);
    });

    it('is delivered even after the workflow of its stateless conversation has ended', async () => {
      const talk = world().talk({ ephemeral: true });
      const runId = id('only', talk);
      await talk.submit(runId, { webhook: true });
      await talk.handle.result();
      await delivered(talk, runId);
    });

    it('makes its delivery workflow fail if the receiver answers with an error that is not retryable', async () => {
      const { talk, result } = talkWith();
      const runId = id('gone', talk);
      talk.deliver = async () => {
        throw ApplicationFailure.create({ type: 'http_410', message: 'gone', nonRetryable: true });
      };
      await talk.submit(runId, { webhook: true });
      await delivered(talk, runId);
      await expect(result(runId)).rejects.toMatchObject({ cause: { cause: { type: 'http_410' } } });
      await talk.settled();
    });
  });
});
