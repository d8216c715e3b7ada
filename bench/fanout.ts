import { get, type IncomingMessage } from 'node:http';
import type { Bench } from './bench.js';
import { sdkClient } from './house.js';
import { median, monotonicMs, percentile } from './measure.js';
import { cpuTimes, formatUse } from './process-use.js';
import { STORY_TOKENS } from './project/graphs.js';

const ROUNDS = 3;
const STREAMS = 50;
const CLIENTS_PER_STREAM = 4;
const GOAL_MS = 250;
const INPUT = { messages: [{ role: 'user', content: 'tell me a story' }] };

const CROWD = `ours, ${STREAMS * CLIENTS_PER_STREAM} clients on ${STREAMS} streams`;
const ALONE = 'ours, 1 client on 1 stream';

export const fanout: Bench = {
  name: 'fanout',
  question: `How long after a node emits a token do ${STREAMS * CLIENTS_PER_STREAM} clients have it, ${CLIENTS_PER_STREAM} on each of ${STREAMS} streams of up to 50 tokens a second?`,

  async run(house, { samples = ROUNDS }) {
    await house.worker();
    const url = await house.api();
    // The first round runs code that is not compiled yet, so it does not count.
    await listen(url, STREAMS, CLIENTS_PER_STREAM);
    const measured: Record<string, number[]> = { [CROWD]: [], [ALONE]: [] };
    const rounds: string[] = [];
    for (let round = 0; round < samples; round += 1) {
      const before = cpuTimes(house.pids);
      const delays = await listen(url, STREAMS, CLIENTS_PER_STREAM);
      measured[CROWD]?.push(...delays);
      rounds.push(
        `round ${round + 1}: p50 ${median(delays).toFixed(0)} ms, p99 ${percentile(delays, 99).toFixed(0)} ms; CPU for a token, in ms: ${formatUse(before, cpuTimes(house.pids), STREAMS * STORY_TOKENS)}`,
      );
      measured[ALONE]?.push(...(await listen(url, 1, 1)));
    }
    const crowd = measured[CROWD] ?? [];
    const alone = measured[ALONE] ?? [];
    return {
      result: {
        name: 'fanout',
        unit: 'ms',
        ours: percentile(crowd, 99),
        against: {
          'p50 of the same': median(crowd),
          [`p99, ${ALONE}`]: percentile(alone, 99),
          [`p50, ${ALONE}`]: median(alone),
        },
        ratio: percentile(crowd, 99) / percentile(alone, 99),
        goal: GOAL_MS,
        met: percentile(crowd, 99) <= GOAL_MS,
        n: samples,
      },
      samples: measured,
      notes: ['every client had every token once and in order', ...rounds],
    };
  },
};

/**
 * Runs the graph `story` in `streams` conversations, and streams each run to `clients` clients.
 * Returns the delay of each token at each client, in ms. Throws if a client misses a token, or gets
 * tokens twice or in another order.
 */
async function listen(url: string, streams: number, clients: number): Promise<number[]> {
  const heard = await Promise.all(Array.from({ length: streams }, () => story(url, clients)));
  return heard.flat();
}

async function story(url: string, clients: number): Promise<number[]> {
  const client = sdkClient(url);
  const { thread_id: threadId } = await client.threads.create();
  const { run_id: runId } = await client.runs.create(threadId, 'story', {
    input: INPUT,
    streamMode: ['messages-tuple'],
    streamResumable: true,
  });
  const path = `${url}/threads/${threadId}/runs/${runId}/stream?stream_mode=messages-tuple`;
  const heard = await Promise.all(Array.from({ length: clients }, () => tokens(path)));
  return heard.flat();
}

/**
 * Reads a stream like a client. Returns the delay of each token, in ms. It only searches the text
 * for tokens and parses nothing, because it shares the CPU with the servers.
 */
async function tokens(url: string): Promise<number[]> {
  const response = await new Promise<IncomingMessage>((done, fail) => get(url, done).once('error', fail));
  const delays: number[] = [];
  let last = 0;
  let rest = '';
  for await (const chunk of response.setEncoding('utf8') as AsyncIterable<string>) {
    const now = monotonicMs();
    const events = (rest + chunk).split('\n\n');
    rest = events.pop() ?? '';
    for (const event of events) {
      const token = /"content":"(\d+(?:\.\d+)?) "/.exec(event)?.[1];
      if (token === undefined) continue;
      if (Number(token) <= last) throw new Error(`token ${token} came after ${last}`);
      last = Number(token);
      delays.push(now - last);
    }
  }
  if (delays.length !== STORY_TOKENS) throw new Error(`${delays.length} of ${STORY_TOKENS} tokens came from ${url}`);
  return delays;
}
