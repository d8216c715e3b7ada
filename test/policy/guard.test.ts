import { describe, expect, it } from '@jest/globals';
import { guarded, type PortRules } from '../../policy/index.js';
import { ColloquyError, type Authorize, type Caller } from '../../protocol/index.js';

const CALLER: Caller = { tenant: 'acme', principal: { kind: 'user', id: 'ada' }, onBehalfOf: [] };

interface Notes {
  read(caller: Caller, id: string): Promise<string>;
  move(caller: Caller, from: string, to?: string): Promise<void>;
  follow(caller: Caller, id: string): AsyncIterable<string>;
  close(): Promise<void>;
}

const RULES: PortRules<Notes> = {
  read: { action: 'item.read', resource: (id) => ({ kind: 'item', id }) },
  move: [
    { action: 'item.delete', resource: (from) => ({ kind: 'item', id: from }) },
    { action: 'item.write', resource: (_from, to = 'home') => ({ kind: 'item', id: to }) },
  ],
  follow: { action: 'item.search', resource: (id) => [{ kind: 'item', id }] },
};

/**
 * Returns the port interface `Notes` behind the guard, which asks for authorization before each
 * call. `called` records the calls that reach the port. `asked` records the actions for which the
 * guard asked for authorization.
 */
function notes(authorize: (action: string) => Promise<void> = () => Promise.resolve()) {
  const called: string[] = [];
  const asked: string[] = [];
  const port: Notes = {
    read: async (_caller, id) => (called.push(`read ${id}`), `note ${id}`),
    move: async (_caller, from, to) => void called.push(`move ${from} ${to}`),
    async *follow(_caller, id) {
      called.push(`follow ${id}`);
      yield 'one';
      yield 'two';
    },
    close: async () => void called.push('close'),
  };
  const ask: Authorize = (_caller, action, { kind, id }) => {
    asked.push(`${action} ${kind} ${id}`);
    return authorize(action);
  };
  return { port: guarded(port, RULES, ask, ['follow']), called, asked };
}

const forbidden = () => Promise.reject(new ColloquyError('forbidden', 'no'));

describe('the guard of a port interface', () => {
  it('authorizes each call, and passes on arguments and results', async () => {
    const { port, called, asked } = notes();
    expect(await port.read(CALLER, 'a')).toBe('note a');
    await port.move(CALLER, 'a', 'b');
    await port.move(CALLER, 'c');
    const told: string[] = [];
    for await (const one of port.follow(CALLER, 'd')) told.push(one);
    expect(told).toEqual(['one', 'two']);
    expect(called).toEqual(['read a', 'move a b', 'move c undefined', 'follow d']);
    expect(asked).toEqual([
      'item.read item a',
      'item.delete item a',
      'item.write item b',
      'item.delete item c',
      'item.write item home',
      'item.search item d',
    ]);
  });

  it('does not call a method whose action is forbidden', async () => {
    const { port, called } = notes(forbidden);
    await expect(port.read(CALLER, 'a')).rejects.toMatchObject({ code: 'forbidden' });
    await expect(port.follow(CALLER, 'a')[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 'forbidden' });
    expect(called).toEqual([]);
  });

  it('does not call a method if one of its several actions is forbidden', async () => {
    const { port, called } = notes((action) => (action === 'item.write' ? forbidden() : Promise.resolve()));
    await expect(port.move(CALLER, 'a', 'b')).rejects.toMatchObject({ code: 'forbidden' });
    expect(called).toEqual([]);
  });

  it('refuses a caller whose tenant is not a DNS label, before it asks for authorization', async () => {
    const { port, called, asked } = notes();
    await expect(port.read({ ...CALLER, tenant: 'a/b' }, 'a')).rejects.toThrow('tenant is "a/b"');
    expect([called, asked]).toEqual([[], []]);
  });

  it('does not ask for authorization for methods without a caller argument', async () => {
    const { port, called, asked } = notes(forbidden);
    await port.close();
    expect([called, asked]).toEqual([['close'], []]);
  });
});
