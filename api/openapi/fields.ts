import { inputSchema, type JsonSchemaNode } from './json-schema.js';
import type { RouteDescription } from '../http/route.js';

/** A field of a request, as the reference page lists it. */
export interface RequestField {
  /** Dotted path: `config.tags`. */
  name: string;
  location: 'path' | 'query' | 'header' | 'body';
  /** The accepted types or values. */
  accepts: string;
  note: string;
}

export function fieldsOf({ path, query, headers = {}, body }: RouteDescription): RequestField[] {
  return [
    ...[...path.matchAll(/:(\w+)/g)].map(
      ([, name = '']): RequestField => ({ name, location: 'path', accepts: 'text', note: '' }),
    ),
    ...(query ? properties(inputSchema(query), 'query') : []),
    ...Object.entries(headers).flatMap(([name, schema]) => field(name, inputSchema(schema), 'header', false)),
    ...(body ? bodyFields(inputSchema(body)) : []),
  ];
}

/**
 * Returns the fields of a request body. If the schema is a union, returns the fields of all its
 * members.
 */
function bodyFields(schema: JsonSchemaNode): RequestField[] {
  if (schema.type === 'array') return [{ name: '[]', location: 'body', accepts: acceptedValues(schema), note: '' }];
  const kinds = alternatives(schema);
  const all = kinds.length > 0 ? kinds.flatMap((kind) => properties(kind, 'body')) : properties(schema, 'body');
  return [...new Map(all.map((each) => [`${each.name} ${each.accepts}`, each])).values()];
}

function properties(schema: JsonSchemaNode, location: RequestField['location'], prefix = ''): RequestField[] {
  const required = schema.required ?? [];
  return Object.entries(schema.properties ?? {}).flatMap(([name, inner]) =>
    field(prefix + name, inner, location, required.includes(name)),
  );
}

function field(
  name: string,
  schema: JsonSchemaNode,
  location: RequestField['location'],
  required: boolean,
): RequestField[] {
  const object = [schema, ...alternatives(schema)].find((kind) => kind.properties !== undefined);
  const own = { name, location, accepts: acceptedValues(schema), note: note(schema, required) };
  return object === undefined ? [own] : [own, ...properties(object, location, `${name}.`)];
}

function note({ description, default: fallback }: JsonSchemaNode, required: boolean): string {
  return [
    ...(required ? ['required'] : []),
    ...(fallback === undefined ? [] : [`default ${JSON.stringify(fallback)}`]),
    ...(description === undefined ? [] : [description]),
  ].join('; ');
}

function acceptedValues(schema: JsonSchemaNode): string {
  const kinds = alternatives(schema);
  if (kinds.length > 0) return [...new Set(kinds.map(acceptedValues))].filter((kind) => kind !== '').join(' or ');
  if (schema.const !== undefined) return `\`${JSON.stringify(schema.const)}\``;
  if (schema.enum) {
    const values = schema.enum.filter((value) => value !== null);
    return values.length === 0 ? 'nothing' : values.map((value) => `\`${JSON.stringify(value)}\``).join(', ');
  }
  const [type] = [schema.type ?? []].flat().filter((name) => name !== 'null');
  if (type === 'array') return `list of ${schema.items ? acceptedValues(schema.items) || 'JSON' : 'JSON'}`;
  if (schema.format === 'uuid') return 'UUID';
  if (type === 'integer' || type === 'number') return `${type}${bounds(schema)}`;
  if (type === undefined) return [schema.type].flat().includes('null') ? '' : 'JSON';
  return type === 'string' ? 'text' : type;
}

function bounds({ minimum, maximum }: JsonSchemaNode): string {
  const high = maximum === undefined || maximum >= Number.MAX_SAFE_INTEGER ? '' : ` to ${maximum}`;
  const low = minimum === undefined || minimum <= Number.MIN_SAFE_INTEGER ? '' : ` from ${minimum}`;
  return low + high;
}

function alternatives(schema: JsonSchemaNode): JsonSchemaNode[] {
  return schema.anyOf ?? schema.oneOf ?? [];
}
