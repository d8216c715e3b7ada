/** Environment of a child process: ours, with changes. */
export function childEnvironment(changes: Record<string, string>): NodeJS.ProcessEnv {
  return { ...process.env, ...changes };
}

/** The environment gives the variable a value; an empty one counts as not set. */
export function isSet(name: string): boolean {
  return (process.env[name] ?? '') !== '';
}

/** Folders to look for programs. */
export function searchPath(): string {
  return process.env['PATH'] ?? '';
}

/** Colour where it is read by a person: a terminal, and https://no-color.org is honoured. */
export function wantsColour(stream: { isTTY?: boolean }): boolean {
  return stream.isTTY === true && (process.env['NO_COLOR'] ?? '') === '' && process.env['TERM'] !== 'dumb';
}
