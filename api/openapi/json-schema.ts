import { z } from 'zod';

/** The part of a JSON Schema (2020-12) that Colloquy reads. */
export interface JsonSchemaNode {
  type?: string | string[];
  properties?: Record<string, JsonSchemaNode>;
  required?: string[];
  items?: JsonSchemaNode;
  anyOf?: JsonSchemaNode[];
  oneOf?: JsonSchemaNode[];
  enum?: unknown[];
  const?: unknown;
  format?: string;
  minimum?: number;
  maximum?: number;
  default?: unknown;
  description?: string;
}

/**
 * Returns the JSON Schema of the values that a client may send, before the schema transforms them.
 */
export function inputSchema(schema: z.ZodType): JsonSchemaNode {
  return jsonSchema(schema, 'input');
}

/** Returns the JSON Schema of the values that a client receives. */
export function outputSchema(schema: z.ZodType): JsonSchemaNode {
  return jsonSchema(schema, 'output');
}

function jsonSchema(zod: z.ZodType, io: 'input' | 'output'): JsonSchemaNode {
  const { $schema: _, ...schema } = z.toJSONSchema(zod, { io, unrepresentable: 'any' });
  return schema as JsonSchemaNode;
}
