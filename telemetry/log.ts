const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Fields of a log line: ids, counts and codes, never text that a person or a model wrote. */
export type LogFields = Record<string, string | number | boolean | undefined>;

export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

export interface LogOptions {
  /** The component that logs, such as `worker`. */
  name: string;
  level: LogLevel;
  /** `json`: one JSON object for each line, for machines. */
  format: 'text' | 'json';
  write?: (line: string) => void;
}

export function createLogger(options: LogOptions): Logger {
  const write = options.write ?? ((line: string) => void process.stderr.write(line));
  const lowest = LOG_LEVELS.indexOf(options.level);
  const at = (level: LogLevel) => (message: string, fields?: LogFields) => {
    if (LOG_LEVELS.indexOf(level) < lowest) return;
    write(
      `${options.format === 'json' ? toJson(options.name, level, message, fields) : toText(options.name, level, message, fields)}\n`,
    );
  };
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

function toJson(name: string, level: LogLevel, message: string, fields?: LogFields): string {
  const text = JSON.stringify({ at: new Date().toISOString(), level, name, message, ...fields });
  // `JSON.stringify` escapes only U+0000 to U+001F. The other control characters can only occur
  // inside strings, so escaping them here keeps the JSON valid.
  return text.replace(CONTROL_CHARACTERS, unicodeEscape);
}

function toText(name: string, level: LogLevel, message: string, fields: LogFields = {}): string {
  const pairs = Object.entries(fields).filter(([, value]) => value !== undefined);
  const tail = pairs.map(([key, value]) => ` ${escape(key)}=${escape(String(value))}`).join('');
  return `${new Date().toISOString()} ${level} ${escape(name)}: ${indent(message)}${tail}`;
}

/**
 * The control characters C0, DEL and C1, and Unicode's line separators. Terminals interpret some of
 * them.
 */
const CONTROL_CHARACTERS = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g;
const SHORT_ESCAPES: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };
const CONTINUATION = '\n    ';

/**
 * Returns the message with all lines after the first indented. A message may quote a client, so its
 * second line must not look like a log line.
 */
function indent(message: string): string {
  return message.split(/\r?\n/).map(escape).join(CONTINUATION);
}

function escape(text: string): string {
  return text.replace(CONTROL_CHARACTERS, (character) => SHORT_ESCAPES[character] ?? unicodeEscape(character));
}

function unicodeEscape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
