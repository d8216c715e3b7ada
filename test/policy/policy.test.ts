import { describe, expect, it } from '@jest/globals';
import { authorizeBy, type Policy } from '../../policy/index.js';
import type { Caller, ResourceAttributes } from '../../protocol/index.js';

const CALLER: Caller = { tenant: 'acme', principal: { kind: 'user', id: 'ada' }, onBehalfOf: [] };
const THREAD = { kind: 'thread', id: 't' } as const;

/**
 * Returns an `authorize` function that asks `policy` and can read the attributes of threads. `read`
 * records the ids of the threads that were read.
 */
function authorizeWith(policy: Policy) {
  const read: string[] = [];
  const attributes: ResourceAttributes = { metadata: { team: 'x' } };
  const authorize = authorizeBy(policy, { thread: async (_caller, { id }) => (read.push(id), attributes) });
  return { authorize, read, attributes };
}

describe('attributes of a resource', () => {
  it('are not read for a policy that does not ask for them', async () => {
    const { authorize, read } = authorizeWith(async () => undefined);
    await authorize(CALLER, 'thread.read', THREAD);
    expect(read).toEqual([]);
  });

  it('are read once for each decision, even if the policy asks for them twice', async () => {
    const seen: unknown[] = [];
    const { authorize, read, attributes } = authorizeWith(async (_caller, _action, _resource, ask) => {
      seen.push(await ask(), await ask());
    });
    await authorize(CALLER, 'thread.read', THREAD);
    await authorize(CALLER, 'thread.update', THREAD);
    expect(seen).toEqual([attributes, attributes, attributes, attributes]);
    expect(read).toEqual(['t', 't']);
  });

  it('are undefined for a kind of resource whose attributes cannot be read', async () => {
    const seen: unknown[] = [];
    const { authorize } = authorizeWith(async (_caller, _action, _resource, ask) => void seen.push(await ask()));
    await authorize(CALLER, 'item.read', { kind: 'item', id: 'n/k' });
    expect(seen).toEqual([undefined]);
  });
});
