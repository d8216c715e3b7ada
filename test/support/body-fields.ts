import type { z } from 'zod';
import { inputSchema, type JsonSchemaNode } from '../../api/openapi/json-schema.js';

/** A field in the JSON body of a request. */
export interface BodyField {
  /**
   * Dotted path of the field. `*` stands for any key of an object, `[]` for any element of a list.
   */
  path: string;
  /** The JSON schema of the field, as text. */
  kind: string;
  /** Returns a minimal valid body with this value in the field. */
  put: (value: unknown) => unknown;
}

type Schema = JsonSchemaNode & { additionalProperties?: Schema | boolean; minItems?: number; pattern?: string };

/**
 * Returns all fields in the bodies that a schema accepts, at any depth. The body as a whole is not
 * in the result.
 */
export function bodyFields(zod: z.ZodType): BodyField[] {
  const all = inside(inputSchema(zod), '', (value) => value);
  return [...new Map(all.map((field) => [field.path, field])).values()];
}

function inside(schema: Schema, path: string, put: BodyField['put']): BodyField[] {
  const kinds = schema.anyOf ?? schema.oneOf ?? [];
  const { properties, items, additionalProperties: others } = schema;
  const step = (name: string, inner: Schema, own: BodyField['put']): BodyField[] => {
    const fieldPath = path === '' ? name : `${path}.${name}`;
    return [{ path: fieldPath, kind: JSON.stringify(inner), put: own }, ...inside(inner, fieldPath, own)];
  };
  return [
    ...kinds.flatMap((kind) => inside(kind, path, put)),
    ...Object.entries(properties ?? {}).flatMap(([name, inner]) =>
      step(name, inner, (value) => put({ ...(example(schema, name) as object), [name]: value })),
    ),
    ...(typeof others === 'object' ? step('*', others, (value) => put({ any: value })) : []),
    ...(items === undefined ? [] : step('[]', items, (value) => put([value]))),
  ];
}

/** Example values by field name, for fields whose type alone does not determine a valid value. */
const KNOWN: Readonly<Record<string, unknown>> = {
  assistant_id: 'echo',
  graph_id: 'echo',
  schedule: '0 0 1 1 *',
  start: '2026-01-01T00:00:00Z',
  end: '2026-01-01T00:00:01Z',
  method: 'state.get',
};

/** Returns a minimal value that a schema accepts. */
function example(schema: Schema, name = ''): unknown {
  const [kind] = schema.anyOf ?? schema.oneOf ?? [];
  if (kind !== undefined) return example(kind, name);
  if (schema.properties !== undefined) {
    const required = Object.entries(schema.properties).filter(([key]) => schema.required?.includes(key));
    return Object.fromEntries(required.map(([key, inner]) => [key, KNOWN[key] ?? example(inner, key)]));
  }
  if (schema.const !== undefined) return schema.const;
  if (schema.enum !== undefined) return schema.enum[0];
  const [type] = [schema.type ?? []].flat();
  if (type === 'array') return schema.items === undefined ? [] : [example(schema.items, name)];
  if (type === 'string') return schema.format === 'uuid' ? '0199aaaa-0000-7000-8000-000000000001' : 'values';
  if (type === 'integer' || type === 'number') return Math.max(schema.minimum ?? 0, 1);
  return type === 'boolean' ? true : {};
}
