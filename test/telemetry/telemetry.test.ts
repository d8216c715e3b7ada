import { describe, it, expect } from '@jest/globals';
import type { tracing } from '@opentelemetry/sdk-node';
import { SpanStatusCode, trace } from '@opentelemetry/api';
import { createLogger, startTracing } from '../../telemetry/index.js';

describe('traces', () => {
  it('leave the process with allow-listed attributes alone', async () => {
    const spans: tracing.ReadableSpan[] = [];
    const exporter: tracing.SpanExporter = {
      export: (batch, done) => {
        spans.push(...batch);
        done({ code: 0 });
      },
      shutdown: () => Promise.resolve(),
    };
    const tracingOn = await startTracing({ serviceName: 'test', exporter });
    const span = trace.getTracer('test').startSpan('step');
    span.setAttributes({ 'colloquy.run_id': 'r1', prompt: 'my salary is 100' });
    span.recordException(new Error('my salary is 100'));
    span.setStatus({ code: SpanStatusCode.ERROR, message: 'my salary is 100' });
    span.end();
    await tracingOn.stop();
    const [sent] = spans;
    expect(sent?.name).toBe('step');
    expect(sent?.attributes).toEqual({ 'colloquy.run_id': 'r1' });
    expect(sent?.events).toEqual([]);
    expect(sent?.status).toEqual({ code: SpanStatusCode.ERROR });
  });

  it('are off without an endpoint', async () => {
    const tracingOff = await startTracing({ serviceName: 'test' });
    expect(tracingOff.client).toEqual([]);
    expect(tracingOff.activity).toEqual([]);
  });
});

describe('a log', () => {
  it('writes lines of its level and above, with their fields', () => {
    const lines: string[] = [];
    const log = createLogger({ name: 'worker', level: 'info', format: 'text', write: (line) => lines.push(line) });
    log.debug('not seen');
    log.info('step done', { run_id: 'r1', step: 2, code: undefined });
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/^\d{4}-.*Z info worker: step done run_id=r1 step=2\n$/);
  });

  it('writes one JSON object a line for machines', () => {
    const lines: string[] = [];
    const log = createLogger({ name: 'api', level: 'debug', format: 'json', write: (line) => lines.push(line) });
    log.warn('slow', { ms: 12 });
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ level: 'warn', name: 'api', message: 'slow', ms: 12 });
  });
});
