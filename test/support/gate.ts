/**
 * Lets a test decide when the script of a run continues. The script awaits the promise `opened`,
 * and the test resolves it with `open`.
 */
export function newGate(): { opened: Promise<void>; open: () => void } {
  let open = () => {};
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open };
}
