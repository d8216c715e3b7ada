/**
 * Decides which caller may do which action. `guarded` wraps the implementation of a port interface,
 * such as a store, and checks each call before the method runs. So the implementations need no
 * checks of their own. The code in this folder knows no particular port interface.
 */
export { checkRule, guarded } from './guard.js';
export type { PortRules, Rule } from './guard.js';
export { authorizeBy } from './policy.js';
export type { AttributeReader, Policy } from './policy.js';
