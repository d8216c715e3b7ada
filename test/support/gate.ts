/**
 * Returns a promise `opened`, which a script awaits, and a function `open`, with which the test
 * resolves the promise.
 */
export function newGate(): { opened: Promise<void>; open: () => void } {
  let open = () => {};
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open };
}
