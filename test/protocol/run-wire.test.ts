import { describe, expect, it } from '@jest/globals';
import { runToWire, type Run } from '../../protocol/index.js';
import { debugCheckpointPayload } from '../../steps/wire.js';

const configurable = {
  colour: 'red',
  langgraph_auth_user: { identity: 'ada', token: 'secret', permissions: ['secret'] },
  langgraph_auth_user_id: 'ada',
  langgraph_auth_permissions: ['secret'],
};
const shown = { colour: 'red', langgraph_auth_user: { identity: 'ada' }, langgraph_auth_user_id: 'ada' };

describe("the user that a project's authenticate function returned", () => {
  it('is reduced to the identity in an HTTP answer, and kept whole in the run record', () => {
    const at = new Date(0);
    const request = { config: { tags: ['t'], configurable }, streamModes: [], streamSubgraphs: false };
    const run = { createdAt: at, updatedAt: at, metadata: {}, request } as unknown as Run;
    expect(runToWire(run)['kwargs']).toMatchObject({ config: { tags: ['t'], configurable: shown } });
    expect(JSON.stringify(runToWire(run))).not.toContain('secret');
    expect(JSON.stringify(run)).toContain('secret');
  });

  it('is reduced to the identity in debug events of checkpoints', () => {
    const config = { configurable: { ...configurable, thread_id: 't' } };
    const payload = debugCheckpointPayload({ config, parentConfig: config, tasks: [] }, 25);
    expect(payload).toMatchObject({ config: { configurable: shown }, parent_config: { configurable: shown } });
    expect(JSON.stringify(payload)).not.toContain('secret');
  });
});
