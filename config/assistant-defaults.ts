import { z } from 'zod';

/** Initial config and context of a graph's system assistant. */
export interface AssistantDefaults {
  config: Record<string, unknown>;
  context?: unknown;
}

/**
 * Schema of the environment variable `LANGGRAPH_CONFIG`, in the form of LangGraph's server:
 * `{"<graph>": {"configurable": {…}, "context": {…}}}`.
 */
export const assistantDefaults = z
  .string()
  .transform((text, context) => {
    try {
      return JSON.parse(text) as unknown;
    } catch (error) {
      context.addIssue({ code: 'custom', message: `is not JSON: ${(error as Error).message}` });
      return z.NEVER;
    }
  })
  .pipe(z.record(z.string(), z.record(z.string(), z.unknown())))
  .transform((byGraph) =>
    Object.fromEntries(
      Object.entries(byGraph).map(([graph, { context, ...config }]): [string, AssistantDefaults] => [
        graph,
        { config, ...(context !== undefined && { context }) },
      ]),
    ),
  );
