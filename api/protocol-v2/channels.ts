import type { EventStreamRequest } from '../../protocol/schemas/index.js';
import { isRecord, textOf, type ProtocolEvent } from './events.js';

export type ChannelFilter = Pick<EventStreamRequest, 'channels' | 'namespaces' | 'depth'>;

/**
 * Returns a function that decides whether a subscription receives an event. A namespace in the
 * filter also matches the namespaces below it, at most `depth` levels down. A segment of a
 * namespace in the filter is `node:<task id>`, or only `node`, which matches every task of that
 * node.
 */
export function channelFilter({ channels, namespaces, depth }: ChannelFilter): (event: ProtocolEvent) => boolean {
  const wanted = new Set(channels);
  return (event) => {
    const channel = channelOf(event);
    if (!wanted.has(channel) && !(channel.startsWith('custom:') && wanted.has('custom'))) return false;
    if (!namespaces || namespaces.length === 0) return true;
    const { namespace } = event.params;
    return namespaces.some(
      (prefix) => beginsWith(namespace, prefix) && namespace.length - prefix.length <= (depth ?? Infinity),
    );
  };
}

function channelOf({ method, params }: ProtocolEvent): string {
  if (method === 'input.requested' || method === 'input.answered') return 'input';
  const name = method === 'custom' && isRecord(params.data) ? params.data['name'] : undefined;
  return name === undefined || name === null ? method : `custom:${textOf(name)}`;
}

function beginsWith(namespace: readonly string[], prefix: readonly string[]): boolean {
  if (prefix.length > namespace.length) return false;
  return prefix.every((segment, index) => {
    const actual = namespace[index] ?? '';
    return actual === segment || (!segment.includes(':') && actual.split(':')[0] === segment);
  });
}
