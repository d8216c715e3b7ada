import type { WorkflowClientInterceptor } from '@temporalio/client';
import type { ActivityInterceptorsFactory } from '@temporalio/worker';
import type { tracing } from '@opentelemetry/sdk-node';
import { ATTRIBUTES } from './names.js';

export interface TracingOptions {
  serviceName: string;
  /**
   * Address of an OTLP receiver over HTTP, such as `http://collector:4318`. Absent: nothing is
   * traced and no tracing library is loaded.
   */
  endpoint?: string;
  /** If set, replaces the OTLP exporter for `endpoint`. */
  exporter?: tracing.SpanExporter;
}

export interface Tracing {
  /** Interceptors for `Client({ interceptors: { workflow } })`. */
  client: WorkflowClientInterceptor[];
  /** Interceptors for `Worker.create({ interceptors: { activity } })`. */
  activity: ActivityInterceptorsFactory[];
  /** Exports the remaining spans, and stops tracing. */
  stop(): Promise<void>;
}

const OFF: Tracing = { client: [], activity: [], stop: () => Promise.resolve() };

/**
 * Starts to trace activities and calls to Temporal. Traces nothing without an endpoint or exporter.
 */
export async function startTracing(options: TracingOptions): Promise<Tracing> {
  const exporter = options.exporter ?? (options.endpoint === undefined ? undefined : await otlp(options.endpoint));
  if (exporter === undefined) return OFF;
  const { NodeSDK, tracing } = await import('@opentelemetry/sdk-node');
  const sdk = new NodeSDK({
    serviceName: options.serviceName,
    autoDetectResources: false,
    instrumentations: [],
    spanProcessors: [allowListed(new tracing.BatchSpanProcessor(exporter))],
  });
  sdk.start();
  const { OpenTelemetryActivityInboundInterceptor, OpenTelemetryWorkflowClientInterceptor } =
    await import('@temporalio/interceptors-opentelemetry');
  return {
    client: [new OpenTelemetryWorkflowClientInterceptor()],
    activity: [(context) => ({ inbound: new OpenTelemetryActivityInboundInterceptor(context) })],
    stop: () => sdk.shutdown(),
  };
}

async function otlp(endpoint: string): Promise<tracing.SpanExporter> {
  const { OTLPTraceExporter } = await import('@opentelemetry/exporter-trace-otlp-proto');
  return new OTLPTraceExporter({ url: new URL('v1/traces', endpoint.endsWith('/') ? endpoint : `${endpoint}/`).href });
}

const ALLOWED = new Set<string>(Object.values(ATTRIBUTES));

/**
 * Returns a span processor that removes from each span what could contain a tenant's content, and
 * then passes the span on to `next`. It removes the events of the span, error messages, and all
 * attributes except {@link ATTRIBUTES}.
 */
function allowListed(next: tracing.SpanProcessor): tracing.SpanProcessor {
  return {
    onStart: (span, context) => next.onStart(span, context),
    onEnd(span) {
      const attributes = Object.fromEntries(Object.entries(span.attributes).filter(([key]) => ALLOWED.has(key)));
      const cleaned = { attributes, events: [], status: { code: span.status.code } };
      next.onEnd(Object.create(span, toDescriptors(cleaned)) as tracing.ReadableSpan);
    },
    forceFlush: () => next.forceFlush(),
    shutdown: () => next.shutdown(),
  };
}

function toDescriptors(values: Record<string, unknown>): PropertyDescriptorMap {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, { value, enumerable: true }]));
}
