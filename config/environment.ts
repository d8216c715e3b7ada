/** Our environment with changes, for a child process. */
export function childEnvironment(changes: Record<string, string>): NodeJS.ProcessEnv {
  return { ...process.env, ...changes };
}

/** Whether the variable has a value. An empty one counts as not set. */
export function isSet(name: string): boolean {
  return (process.env[name] ?? '') !== '';
}

/** Folders to search for programs. */
export function searchPath(): string {
  return process.env['PATH'] ?? '';
}

/** Colour on a terminal only. Honours https://no-color.org. */
export function wantsColour(stream: { isTTY?: boolean }): boolean {
  return stream.isTTY === true && (process.env['NO_COLOR'] ?? '') === '' && process.env['TERM'] !== 'dumb';
}
