import { describe, it, expect } from '@jest/globals';
import type { tracing } from '@opentelemetry/sdk-node';
import { SpanStatusCode, trace } from '@opentelemetry/api';
import { createLogger, startTracing } from '../../telemetry/index.js';

describe('traces', () => {
  it('are exported with allow-listed attributes only', async () => {
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

  it('are off if no endpoint for traces is set', async () => {
    const tracingOff = await startTracing({ serviceName: 'test' });
    expect(tracingOff.client).toEqual([]);
    expect(tracingOff.activity).toEqual([]);
  });
});

describe('a logger', () => {
  it('writes the lines of its level and of more severe levels, with their fields', () => {
    const lines: string[] = [];
    const log = createLogger({ name: 'worker', level: 'info', format: 'text', write: (line) => lines.push(line) });
    log.debug('not seen');
    log.info('step done', { run_id: 'r1', step: 2, code: undefined });
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/^\d{4}-.*Z info worker: step done run_id=r1 step=2\n$/);
  });

  it('writes one JSON object on each line in the format json', () => {
    const lines: string[] = [];
    const log = createLogger({ name: 'api', level: 'debug', format: 'json', write: (line) => lines.push(line) });
    log.warn('slow', { ms: 12 });
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ level: 'warn', name: 'api', message: 'slow', ms: 12 });
  });

  describe('with text that a client sent', () => {
    const FORGED = 'q\nFORGED\r\nFORGED\rFORGED\u2028FORGED\t\u001b[2J\u009b2J\u0007\u007f';

    const RAW = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u2029]/;

    function written(format: 'text' | 'json', name: string, message: string, fields = {}): string {
      let text = '';
      const log = createLogger({ name, level: 'debug', format, write: (line) => (text += line) });
      log.error(message, fields);
      return text;
    }

    it('indents all lines of a message except the first, and escapes control characters', () => {
      const text = written('text', 'api', FORGED, { run_id: 'r1' });
      expect(text.replace(/^\S+ /, '')).toBe(
        'error api: q\n    FORGED\n    FORGED\\rFORGED\\u2028FORGED' +
          '\\t\\u001b[2J\\u009b2J\\u0007\\u007f run_id=r1\n',
      );
    });

    it('escapes line breaks and control characters in the name of the logger, and in keys and values of fields', () => {
      const text = written('text', FORGED, 'failed', { [FORGED]: FORGED });
      const escaped = 'q\\nFORGED\\r\\nFORGED\\rFORGED\\u2028FORGED\\t\\u001b[2J\\u009b2J\\u0007\\u007f';
      expect(text.replace(/^\S+ /, '')).toBe(`error ${escaped}: failed ${escaped}=${escaped}\n`);
    });

    it('keeps the line breaks of a stack trace', () => {
      const text = written('text', 'api', 'GET /ok: Error: no\n    at one (a.ts:1)\n    at two (b.ts:2)');
      expect(text.split('\n').slice(1)).toEqual(['        at one (a.ts:1)', '        at two (b.ts:2)', '']);
    });

    it('writes one line in the format json, from which a parser gets the original text', () => {
      const text = written('json', FORGED, FORGED, { [FORGED]: FORGED });
      expect(text.trimEnd().split('\n')).toHaveLength(1);
      expect(text).not.toMatch(RAW);
      expect(JSON.parse(text)).toMatchObject({ name: FORGED, message: FORGED, [FORGED]: FORGED });
    });

    it('writes no control character except the newline', () => {
      for (let code = 0; code < 0xa0; code += 1) {
        const character = String.fromCharCode(code);
        const text = written('text', character, character, { [character]: character });
        expect([code, RAW.test(text)]).toEqual([code, false]);
      }
    });
  });
});
