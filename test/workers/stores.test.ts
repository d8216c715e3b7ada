import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { openStores } from '../../workers/stores.js';
import { startTcpProxy, type TcpProxy } from '../streams/tcp-proxy.js';

describe('opening the stores', () => {
  const uri = new URL(process.env['COLLOQUY_TEST_MONGODB_URI'] ?? '');
  let proxy: TcpProxy;
  beforeEach(async () => {
    proxy = await startTcpProxy({ host: uri.hostname, port: Number(uri.port) });
  });
  afterEach(() => proxy.close());

  it('fails with `unavailable` if the connection breaks meanwhile, so that a step is tried again', async () => {
    const through = new URL(uri);
    through.port = String(proxy.port);
    proxy.loseAnswerTo('createIndexes');
    const opening = openStores({
      mongo: { uri: through.href, database: `stores-${randomUUID()}` },
      retention: { eventsMs: 60_000 },
    } as Parameters<typeof openStores>[0]);
    await expect(opening).rejects.toMatchObject({ code: 'unavailable' });
    expect(proxy.lost()).toBe(1);
  });
});
