import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { offerLogger } from '../../agents/graph-logger.js';

const GLOBAL_LOGGER = Symbol.for('langgraph.api.sdk-logger');
const scope = globalThis as unknown as Record<symbol, { info(message: string, meta: object): void }>;

describe('the logger of graphs', () => {
  afterEach(() => {
    jest.restoreAllMocks();
    Reflect.deleteProperty(scope, GLOBAL_LOGGER);
  });

  it('escapes text from clients, so that it cannot start a new log line or send escape codes to the terminal', () => {
    Reflect.deleteProperty(scope, GLOBAL_LOGGER);
    const write = jest.spyOn(process.stderr, 'write').mockReturnValue(true);
    offerLogger();
    scope[GLOBAL_LOGGER]?.info('said\nFORGED', { text: 'a\nFORGED\u001b[2J' });
    const [line] = write.mock.calls.map(([text]) => String(text));
    const expected = 'info graph: said\n    FORGED text=a\\nFORGED\\u001b[2J\n';
    expect(line?.replace(/^\S+ /, '')).toBe(expected);
  });
});
