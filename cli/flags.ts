import { parseArgs } from 'node:util';
import type { Variable } from '../config/index.js';

export interface Flag {
  /**
   * Placeholder for the flag's value in the help, such as `PORT`. Undefined for a flag without a
   * value.
   */
  value?: string;
  help: string;
  short?: string;
  /** The environment variable that the flag overrides. */
  variable?: Variable;
}

export interface CommandHelp {
  name: string;
  /** One line about the command, for the list of all commands. */
  summary: string;
  flags: Record<string, Flag>;
  /** Last lines of the command's help. */
  notes?: string[];
}

export interface ParsedFlags {
  text: Record<string, string | undefined>;
  switches: Set<string>;
  /** Values of flags that override environment variables. */
  variables: Partial<Record<Variable, string>>;
}

/** Reports an invalid command line. The process then exits with code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

const HELP_FLAG: Flag = { short: 'h', help: 'Show this help' };

/** Parses the flags of a command. Errors: {@link UsageError}. */
export function parseFlags(command: CommandHelp, args: string[]): ParsedFlags {
  const flags: Record<string, Flag> = { ...command.flags, help: HELP_FLAG };
  const { values } = parse(command, flags, args);
  const parsed: ParsedFlags = { text: {}, switches: new Set(), variables: {} };
  for (const [name, value] of Object.entries(values)) {
    if (typeof value === 'string') {
      parsed.text[name] = value;
      const variable = flags[name]?.variable;
      if (variable !== undefined) parsed.variables[variable] = value;
    } else if (value === true) {
      parsed.switches.add(name);
    }
  }
  return parsed;
}

function parse(command: CommandHelp, flags: Record<string, Flag>, args: string[]) {
  const options = Object.fromEntries(
    Object.entries(flags).map(([name, { value, short }]) => [
      name,
      { type: value === undefined ? ('boolean' as const) : ('string' as const), ...(short !== undefined && { short }) },
    ]),
  );
  try {
    return parseArgs({ args, options, strict: true, allowPositionals: false });
  } catch (error) {
    const [firstSentence] = (error as Error).message.split('. ');
    throw new UsageError(`${firstSentence}; see colloquy ${command.name} --help`, { cause: error });
  }
}

/** Parses the value of a flag as a whole number in a range. Errors: {@link UsageError}. */
export function numberFlag(parsed: ParsedFlags, name: string, least = 0, most = 65_535): number | undefined {
  const text = parsed.text[name];
  if (text === undefined) return undefined;
  const number = Number(text);
  if (Number.isInteger(number) && number >= least && number <= most) return number;
  throw new UsageError(`--${name} ${text}: must be a whole number from ${least} to ${most}`);
}

export function formatHelp(command: CommandHelp): string {
  const rows = Object.entries({ ...command.flags, help: HELP_FLAG }).map(([name, flag]) => {
    const left = `${flag.short === undefined ? '    ' : `-${flag.short}, `}--${name}${flag.value === undefined ? '' : ` ${flag.value}`}`;
    return [left, flag.variable === undefined ? flag.help : `${flag.help} [${flag.variable}]`] as const;
  });
  const width = Math.max(...rows.map(([left]) => left.length));
  const lines = rows.map(([left, help]) => `  ${left.padEnd(width)}  ${help}`);
  const notes = command.notes === undefined ? [] : ['', ...command.notes];
  return [`Usage: colloquy ${command.name} [flags]`, '', command.summary, '', ...lines, ...notes, ''].join('\n');
}
