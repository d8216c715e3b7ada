import { inputSchema, type JsonSchema } from './json-schema.js';
import type { RouteDescription } from '../http/route.js';

/** A field of a request, for people. */
export interface Field {
  /** Dotted. */
  name: string;
  place: 'path' | 'query' | 'header' | 'body';
  /** Kinds or values. */
  takes: string;
  note: string;
}

export function fieldsOf({ path, query, headers = {}, body }: RouteDescription): Field[] {
  return [
    ...[...path.matchAll(/:(\w+)/g)].map(([, name = '']): Field => ({ name, place: 'path', takes: 'text', note: '' })),
    ...(query ? properties(inputSchema(query), 'query') : []),
    ...Object.entries(headers).flatMap(([name, schema]) => field(name, inputSchema(schema), 'header', false)),
    ...(body ? bodyFields(inputSchema(body)) : []),
  ];
}

/** A body that is one of several kinds has the fields of all. */
function bodyFields(schema: JsonSchema): Field[] {
  if (schema.type === 'array') return [{ name: '[]', place: 'body', takes: takes(schema), note: '' }];
  const kinds = alternatives(schema);
  const all = kinds.length > 0 ? kinds.flatMap((kind) => properties(kind, 'body')) : properties(schema, 'body');
  return [...new Map(all.map((one) => [`${one.name} ${one.takes}`, one])).values()];
}

function properties(schema: JsonSchema, place: Field['place'], prefix = ''): Field[] {
  const required = schema.required ?? [];
  return Object.entries(schema.properties ?? {}).flatMap(([name, inner]) =>
    field(prefix + name, inner, place, required.includes(name)),
  );
}

function field(name: string, schema: JsonSchema, place: Field['place'], required: boolean): Field[] {
  const object = [schema, ...alternatives(schema)].find((kind) => kind.properties !== undefined);
  const own = { name, place, takes: takes(schema), note: note(schema, required) };
  return object === undefined ? [own] : [own, ...properties(object, place, `${name}.`)];
}

function note({ description, default: given }: JsonSchema, required: boolean): string {
  return [
    ...(required ? ['required'] : []),
    ...(given === undefined ? [] : [`default ${JSON.stringify(given)}`]),
    ...(description === undefined ? [] : [description]),
  ].join('; ');
}

function takes(schema: JsonSchema): string {
  const kinds = alternatives(schema);
  if (kinds.length > 0) return [...new Set(kinds.map(takes))].filter((kind) => kind !== '').join(' or ');
  if (schema.const !== undefined) return `\`${JSON.stringify(schema.const)}\``;
  if (schema.enum) {
    const values = schema.enum.filter((value) => value !== null);
    return values.length === 0 ? 'nothing' : values.map((value) => `\`${JSON.stringify(value)}\``).join(', ');
  }
  const [type] = [schema.type ?? []].flat().filter((one) => one !== 'null');
  if (type === 'array') return `list of ${schema.items ? takes(schema.items) || 'JSON' : 'JSON'}`;
  if (schema.format === 'uuid') return 'UUID';
  if (type === 'integer' || type === 'number') return `${type}${bounds(schema)}`;
  if (type === undefined) return [schema.type].flat().includes('null') ? '' : 'JSON';
  return type === 'string' ? 'text' : type;
}

function bounds({ minimum, maximum }: JsonSchema): string {
  const high = maximum === undefined || maximum >= Number.MAX_SAFE_INTEGER ? '' : ` to ${maximum}`;
  const low = minimum === undefined || minimum <= Number.MIN_SAFE_INTEGER ? '' : ` from ${minimum}`;
  return low + high;
}

function alternatives(schema: JsonSchema): JsonSchema[] {
  return schema.anyOf ?? schema.oneOf ?? [];
}
