/**
 * Decides which caller may do which action. Wraps the implementations of port interfaces with this
 * check, so that they contain no checks themselves. Knows no concrete port interface.
 */
export { checkRule, guarded } from './guard.js';
export type { PortRules, Rule } from './guard.js';
export { authorizeBy } from './policy.js';
export type { AttributeReader, Policy } from './policy.js';
