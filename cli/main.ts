import { ConfigError, loadConfig } from '../config/index.js';
import { errorCode } from '../protocol/index.js';
import { COMMANDS } from './commands.js';
import type { CommandName } from './commands.js';
import { UsageError, formatHelp, parseFlags } from './flags.js';
import type { CommandHelp, ParsedFlags } from './flags.js';
import { packageVersion } from './package.js';
import { printable } from './printable.js';

const USAGE_EXIT = 2;

type Command = (flags: ParsedFlags) => Promise<number>;

/**
 * Commands by name. The module of a command is imported when the command runs, so that `--help`
 * does not wait for LangGraph and Temporal.
 */
const RUN: Record<CommandName, Command> = {
  dev: async (flags) => (await import('./dev/dev.js')).runDev(flags),
  api: async (flags) => (await import('./process-commands.js')).runApi(loadConfig(flags.variables)),
  worker: async (flags) => (await import('./process-commands.js')).runWorker(loadConfig(flags.variables)),
  'import-checkpoints': async (flags) => (await import('./import-checkpoints.js')).runImport(flags),
  chat: async (flags) => (await import('./chat/chat.js')).runChat(flags),
};

/** Runs a command line and returns the exit code. */
export async function main(args: string[]): Promise<number> {
  try {
    return await run(args);
  } catch (error) {
    console.error(`colloquy: ${printable(explain(error))}`);
    return error instanceof UsageError || error instanceof ConfigError ? USAGE_EXIT : 1;
  }
}

async function run([name, ...args]: string[]): Promise<number> {
  if (name === '--version' || name === '-v') return print(await packageVersion());
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') return print(overview());
  if (!(name in COMMANDS)) {
    throw new UsageError(
      `unknown command ${name}; commands are ${Object.keys(COMMANDS).join(', ')}; see colloquy --help`,
    );
  }
  const command = name as CommandName;
  const flags = parseFlags(COMMANDS[command], args);
  if (flags.switches.has('help')) return print(formatHelp(COMMANDS[command]));
  return RUN[command](flags);
}

function overview(): string {
  const rows = Object.values<CommandHelp>(COMMANDS).map(({ name, summary }) => `  ${name.padEnd(20)}${summary}`);
  return [
    'LangGraph.js agents as durable conversations on Temporal.',
    '',
    'Usage: colloquy COMMAND [flags]',
    '',
    ...rows,
    '',
    'colloquy COMMAND --help shows the flags of a command; colloquy --version shows the version.',
    '',
  ].join('\n');
}

function print(text: string): number {
  process.stdout.write(text.endsWith('\n') ? text : `${text}\n`);
  return 0;
}

/**
 * Formats an error for the terminal. An expected error shows only its message. Any other error is a
 * defect and shows its stack.
 */
function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = errorCode(error);
  const isExpected = error instanceof UsageError || error instanceof ConfigError || isExpectedCode(code);
  return isExpected ? error.message : (error.stack ?? error.message);
}

function isExpectedCode(code: ReturnType<typeof errorCode>): boolean {
  return code !== undefined && code !== 'internal';
}
