/**
 * Keeps the global names of JavaScript and Node.js usable if user code deletes them. Without
 * `performance` or `queueMicrotask`, the database driver would never answer again. A name that the
 * global object does not have is looked up in the prototype of this object, so the values are put
 * there too. Does not keep a name to which user code assigns another value.
 */
export function keepGlobals(): void {
  const prototype = Object.getPrototypeOf(globalThis) as object;
  for (const [name, descriptor] of Object.entries(Object.getOwnPropertyDescriptors(globalThis))) {
    if (!descriptor.configurable || Object.hasOwn(prototype, name)) continue;
    Object.defineProperty(prototype, name, { ...descriptor, enumerable: false });
  }
}
