import type { Response } from 'express';
import type { RequiredMetadata } from '../../threads/index.js';

/** By the `locals` of a response: an Express app of a project may have a `locals.required`. */
const requirements = new WeakMap<object, RequiredMetadata>();

/** Keeps what the filters of a project's auth ask of the records that a request finds. */
export function requireOf(res: Response, required: RequiredMetadata): void {
  requirements.set(res.locals, required);
}

export function requiredOf(res: Response): { required?: RequiredMetadata } {
  const required = requirements.get(res.locals);
  return required === undefined ? {} : { required };
}
