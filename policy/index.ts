/**
 * Decides who may do what. Wraps ports, so that adapters hold no checks; knows no port and no
 * adapter.
 */
export { checkRule, guarded } from './guard.js';
export type { PortRules, Rule } from './guard.js';
export { authorizeBy } from './policy.js';
export type { AttributeReader, Policy } from './policy.js';
