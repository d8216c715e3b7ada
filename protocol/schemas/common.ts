import { z } from 'zod';
import { MAX_TTL_MINUTES } from '../thread.js';
import { findTooDeep, TOO_DEEP } from './depth.js';
import { MAX_NAMESPACE, name, text } from './text.js';

/**
 * Any UUID, also without an RFC version, because clients make their own ids. Converted to lower
 * case, so that a thread id has only one spelling.
 */
export const uuid = z.guid().transform((id) => id.toLowerCase());

export const ttlMinutes = z.number().positive().max(MAX_TTL_MINUTES);

export const jsonObject = z.record(z.string(), z.unknown());

/**
 * Any body with metadata. The project's auth changes the metadata of such a body before the rest of
 * the body is validated.
 */
export const anyWithMetadata = z.looseObject({ metadata: jsonObject.nullish() });

/** Issue parameter that turns a validation error from "wrong" into "understood, but not served". */
export const UNSUPPORTED = { unsupported: true } as const;

/**
 * Returns the schema of a field that clients may send and we do not serve. Absent and null are
 * accepted. Any other value is refused with an error that names the field.
 */
export function notServed(reason: string) {
  return servedAs([], reason);
}

/** Returns the schema of a field that accepts only values which our behaviour satisfies. */
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

/** A query parameter with a list: it may be repeated or contain commas. */
export const queryList = z
  .union([z.string(), z.array(z.string())])
  .transform((value) => (Array.isArray(value) ? value : value.split(',')).map((item) => item.trim()));

export const MAX_PAGE = 1000;
export const limit = z.int().min(1).max(MAX_PAGE);
export const offset = z.int().min(0);
export const queryLimit = z.coerce.number().pipe(limit).meta({ type: 'integer', minimum: 1, maximum: MAX_PAGE });
export const queryOffset = z.coerce.number().pipe(offset).meta({ type: 'integer', minimum: 0 });

/** A checkpoint id. LangGraph's clients send an empty text if they name no checkpoint. */
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
 * Returns the schema of a list of names. A name is a field of a record, or a key of its state as
 * `values.<key>`.
 */
export function fieldNames(fields: readonly string[]) {
  const isField = (name: string) => fields.includes(name) || /^values\../.test(name);
  return z.array(name.refine(isField, `expected one of ${fields.join(', ')}, or values.<key>`));
}
