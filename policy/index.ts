/**
 * Decides which caller may do which action. Wraps ports with this check, so that adapters contain
 * no checks. Knows no concrete port and no adapter.
 */
export { checkRule, guarded } from './guard.js';
export type { PortRules, Rule } from './guard.js';
export { authorizeBy } from './policy.js';
export type { AttributeReader, Policy } from './policy.js';
