import type { Response } from 'express';
import type { RequiredMetadata } from '../../threads/index.js';

/** What the filters of a project's auth ask of what a request finds. It stands beside the response, where no client can put anything. */
export function requireOf(res: Response, required: RequiredMetadata): void {
  res.locals['required'] = required;
}

export function requiredOf(res: Response): { required?: RequiredMetadata } {
  const required = res.locals['required'] as RequiredMetadata | undefined;
  return required === undefined ? {} : { required };
}
