export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Ids, counts and codes; never what a person or a model said. */
export type LogFields = Record<string, string | number | boolean | undefined>;

export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

export interface LogOptions {
  /** What speaks: `worker`. */
  name: string;
  level: LogLevel;
  /** `json`: one object a line, for machines. */
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
  return JSON.stringify({ at: new Date().toISOString(), level, name, message, ...fields });
}

function toText(name: string, level: LogLevel, message: string, fields: LogFields = {}): string {
  const pairs = Object.entries(fields).filter(([, value]) => value !== undefined);
  const tail = pairs.map(([key, value]) => ` ${key}=${String(value)}`).join('');
  return `${new Date().toISOString()} ${level} ${name}: ${message}${tail}`;
}
