import { describe, it, expect } from '@jest/globals';
import { ConfigError, loadConfig } from '../../config/index.js';

describe('the configuration', () => {
  it('is complete without any flag or environment variable', () => {
    const config = loadConfig({}, {});
    expect(config.temporal).toEqual({
      address: '127.0.0.1:7233',
      isGiven: false,
      namespace: 'default',
      taskQueue: 'colloquy',
    });
    expect(config.mongo).toEqual({
      uri: 'mongodb://127.0.0.1:27017/?directConnection=true',
      isGiven: false,
      database: 'colloquy',
    });
    expect(config.limits).toEqual({ cronMinIntervalSeconds: 60 });
    expect(config.api).toMatchObject({
      host: '127.0.0.1',
      port: 2024,
      bodyLimitBytes: 10_485_760,
    });
    expect(config.projectPath).toBeUndefined();
  });

  it('takes the value of a flag if the environment variable of the same setting is set too', () => {
    const config = loadConfig({ COLLOQUY_PORT: '3001' }, { COLLOQUY_PORT: '3000', COLLOQUY_HOST: '0.0.0.0' });
    expect(config.api).toMatchObject({ host: '0.0.0.0', port: 3001 });
  });

  it('treats an empty environment variable as not set', () => {
    expect(loadConfig({}, { TEMPORAL_ADDRESS: '', MONGODB_URI: '' }).temporal.isGiven).toBe(false);
  });

  it('reads the initial config of assistants from LANGGRAPH_CONFIG, which is a variable of LangGraph', () => {
    const given = { agent: { configurable: { model: 'm' }, recursion_limit: 9, context: { tone: 'calm' } }, other: {} };
    expect(loadConfig({}, { LANGGRAPH_CONFIG: JSON.stringify(given) }).assistants).toEqual({
      agent: { config: { configurable: { model: 'm' }, recursion_limit: 9 }, context: { tone: 'calm' } },
      other: { config: {} },
    });
    expect(loadConfig({}, {}).assistants).toEqual({});
    expect(() => loadConfig({}, { LANGGRAPH_CONFIG: '{' })).toThrow(/LANGGRAPH_CONFIG="\{": is not JSON/);
    expect(() => loadConfig({}, { LANGGRAPH_CONFIG: '{"agent":1}' })).toThrow(/LANGGRAPH_CONFIG=/);
  });

  it('keeps questions out of workflow histories unless COLLOQUY_SHOW_QUESTIONS is true', () => {
    expect(loadConfig({}, {}).worker.showsQuestions).toBe(false);
    expect(loadConfig({}, { COLLOQUY_SHOW_QUESTIONS: 'true' }).worker.showsQuestions).toBe(true);
    expect(() => loadConfig({}, { COLLOQUY_SHOW_QUESTIONS: 'maybe' })).toThrow(/COLLOQUY_SHOW_QUESTIONS="maybe"/);
  });

  it('reports all invalid variables in one message, each with its name and value', () => {
    const load = () =>
      loadConfig({}, { TEMPORAL_ADDRESS: 'http://here', COLLOQUY_PORT: '99999', COLLOQUY_TENANT: 'Not A Tenant' });
    expect(load).toThrow(ConfigError);
    expect(load).toThrow(/3 faults/);
    expect(load).toThrow(/TEMPORAL_ADDRESS="http:\/\/here": must be host:port/);
    expect(load).toThrow(/COLLOQUY_PORT="99999"/);
    expect(load).toThrow(/COLLOQUY_TENANT="Not A Tenant"/);
  });

  it('does not show a value that may contain a password in an error message', () => {
    const load = () => loadConfig({}, { MONGODB_URI: 'postgres://user:secret@db' });
    expect(load).toThrow(/MONGODB_URI=\(not shown\): must begin with mongodb:/);
    expect(load).not.toThrow(/secret/);
  });

  it('keeps all checkpoints unless a variable limits them', () => {
    expect(loadConfig({}, {}).retention).toEqual({ eventsMs: 604_800_000 });
    expect(loadConfig({}, { COLLOQUY_KEEP_CHECKPOINTS_OF_RUNS: 'false' }).retention.checkpoints).toBeUndefined();
    const variables = {
      COLLOQUY_KEEP_CHECKPOINTS: '20',
      COLLOQUY_KEEP_CHECKPOINTS_OF_RUNS: 'true',
      COLLOQUY_CHECKPOINT_RETENTION_MS: '3600000',
    };
    const kept = { last: 20, lastOfRuns: true, maxAgeMs: 3_600_000 };
    expect(loadConfig({}, variables).retention.checkpoints).toEqual(kept);
    expect(() => loadConfig({}, { COLLOQUY_KEEP_CHECKPOINTS: '0' })).toThrow(/COLLOQUY_KEEP_CHECKPOINTS="0"/);
  });

  it('reads the hosts allowed for outgoing HTTP and the webhook secrets, and shows no secret in an error message', () => {
    const secret = `whsec_${'c2VjcmV0'.repeat(5)}`;
    const variables = { COLLOQUY_EGRESS_ALLOW: 'hooks.internal, 10.0.0.0/8', COLLOQUY_WEBHOOK_SECRET: secret };
    expect(loadConfig({}, variables).egress).toEqual({
      allow: ['hooks.internal', '10.0.0.0/8'],
      webhookSecrets: [secret],
    });
    expect(loadConfig({}, {}).egress).toEqual({ allow: [], webhookSecrets: [] });
    const load = () => loadConfig({}, { COLLOQUY_WEBHOOK_SECRET: 'too-short' });
    expect(load).toThrow(/COLLOQUY_WEBHOOK_SECRET=\(not shown\): must be whsec_ and the base64 of 24 to 64 bytes/);
    expect(load).not.toThrow(/too-short/);
  });

  it('turns on TLS to Temporal if an API key is set', () => {
    expect(loadConfig({}, { TEMPORAL_API_KEY: 'k' }).temporal).toMatchObject({ apiKey: 'k', tls: true });
  });

  it('is refused if a TLS client certificate is set without its key, or if a certificate file does not exist', () => {
    expect(() => loadConfig({}, { TEMPORAL_TLS_CLIENT_CERT_PATH: '/c' })).toThrow(/must be set together/);
    expect(() => loadConfig({}, { TEMPORAL_TLS_SERVER_CA_CERT_PATH: '/none' })).toThrow(/ENOENT/);
  });
});
