/** Returns the environment of this process with changes, for a child process. */
export function childEnvironment(changes: Record<string, string>): NodeJS.ProcessEnv {
  return { ...process.env, ...changes };
}

/** Returns whether the variable has a value. An empty variable counts as not set. */
export function isSet(name: string): boolean {
  return (process.env[name] ?? '') !== '';
}

/** Returns the folders to search for programs, in the format of PATH. */
export function searchPath(): string {
  return process.env['PATH'] ?? '';
}

/**
 * Returns whether to print colours: only on a terminal, and not if https://no-color.org forbids it.
 */
export function wantsColour(stream: { isTTY?: boolean }): boolean {
  return stream.isTTY === true && (process.env['NO_COLOR'] ?? '') === '' && process.env['TERM'] !== 'dumb';
}
