import { z } from 'zod';
import { MAX_TTL_MINUTES } from '../thread.js';
import { findTooDeep, TOO_DEEP } from './depth.js';
import { MAX_NAMESPACE, name, text } from './text.js';

/**
 * Any UUID. It need not have a version that an RFC defines, because clients make ids of their own.
 * Converted to lower case, so that a thread id has only one spelling.
 */
export const uuid = z.guid().transform((id) => id.toLowerCase());

export const ttlMinutes = z.number().positive().max(MAX_TTL_MINUTES);

export const jsonObject = z.record(z.string(), z.unknown());

/**
 * Any body that may have metadata. `api/auth/gate.ts` uses this schema to check that the metadata
 * are an object, before the project's auth handlers read and change them. The rest of the body is
 * validated later.
 */
export const anyWithMetadata = z.looseObject({ metadata: jsonObject.nullish() });

/**
 * Parameter of a zod issue. With it, the error of the request has the code `unsupported` instead of
 * `invalid_argument`: the server understands the value but does not support it.
 */
export const UNSUPPORTED = { unsupported: true } as const;

/**
 * Returns the schema of a field that clients may send but that this server does not support. Absent
 * and null are accepted. Any other value is refused with an error that names the field.
 */
export function notServed(reason: string) {
  return servedAs([], reason);
}

/**
 * Returns the schema of a field of which this server supports only some values. These values,
 * absent and null are accepted.
 */
export function servedAs(values: readonly unknown[], reason: string) {
  return z
    .unknown()
    .optional()
    .meta({ enum: [...values, null], description: `Anything else is not served here: ${reason}.` })
    .superRefine((value, context) => {
      if (value === undefined || value === null || values.includes(value)) return;
      context.addIssue({ code: 'custom', message: `not served here: ${reason}`, params: UNSUPPORTED });
    });
}

/** A boolean in a query string. */
export const queryBoolean = z
  .enum(['true', '1', 'yes', 'false', '0', 'no'])
  .transform((value) => ['true', '1', 'yes'].includes(value));

/** A list in a query string: the parameter may be repeated, or its value may contain commas. */
export const queryList = z
  .union([z.string(), z.array(z.string())])
  .transform((value) => (Array.isArray(value) ? value : value.split(',')).map((item) => item.trim()));

export const MAX_PAGE = 1000;
export const limit = z.int().min(1).max(MAX_PAGE);
export const offset = z.int().min(0);
export const queryLimit = z.coerce.number().pipe(limit).meta({ type: 'integer', minimum: 1, maximum: MAX_PAGE });
export const queryOffset = z.coerce.number().pipe(offset).meta({ type: 'integer', minimum: 0 });

/** A checkpoint id. LangGraph's clients send an empty string if they name no checkpoint. */
export const checkpointId = z
  .string()
  .refine((id) => id === '' || uuid.safeParse(id).success, 'Invalid GUID')
  .meta({ format: 'uuid' })
  .transform((id) => id.toLowerCase());

export const checkpointNs = text(MAX_NAMESPACE);

/** Checkpoint ids by checkpoint namespace. */
export const checkpointMap = z.record(checkpointNs, name);

export const checkpointRef = z.strictObject({
  thread_id: uuid.nullish(),
  checkpoint_id: checkpointId.nullish(),
  checkpoint_ns: checkpointNs.nullish(),
  checkpoint_map: checkpointMap.nullish(),
});

export const sortOrder = z.enum(['asc', 'desc']);

/** Returns the schema of a query parameter that holds JSON. */
export function queryJson<T extends z.ZodType>(schema: T) {
  return z
    .string()
    .transform((text, context): unknown => {
      const value = parsed(text);
      const deep = findTooDeep(value);
      if (value !== undefined && deep === undefined) return value;
      const message = deep === undefined ? 'expected JSON' : `${deep} ${TOO_DEEP}`;
      context.addIssue({ code: 'custom', message });
      return z.NEVER;
    })
    .pipe(schema);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * Returns the schema of a list of field names, with which a client selects parts of a record. A
 * name is one of `fields`, or `values.<key>` for one key of the state.
 */
export function fieldNames(fields: readonly string[]) {
  const isField = (name: string) => fields.includes(name) || /^values\../.test(name);
  return z.array(name.refine(isField, `expected one of ${fields.join(', ')}, or values.<key>`));
}
