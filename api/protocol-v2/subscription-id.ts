import { v7 as uuid7 } from '@langchain/core/utils/uuid';
import { subscriptionFilter } from '../../protocol/schemas/index.js';
import type { ChannelFilter } from './channels.js';
import { protocolError } from './errors.js';

/**
 * Creates the id of a subscription. The id contains the subscription's filter, so another process
 * can continue the subscription when the process that created it has stopped.
 */
export function newSubscriptionId({ channels, namespaces, depth }: ChannelFilter): string {
  const filter = { channels, ...(namespaces && { namespaces }), ...(typeof depth === 'number' && { depth }) };
  return `${uuid7()}.${Buffer.from(JSON.stringify(filter)).toString('base64url')}`;
}

/**
 * Returns the filter that the id of a subscription contains. Errors: `no_such_subscription` if the
 * id contains no filter.
 */
export function filterOfSubscription(subscriptionId: string): ChannelFilter {
  const filter = subscriptionFilter.safeParse(decoded(subscriptionId));
  if (filter.success) return filter.data;
  throw protocolError('no_such_subscription', `${subscriptionId} is not a subscription of this server`);
}

function decoded(subscriptionId: string): unknown {
  try {
    return JSON.parse(Buffer.from(subscriptionId.split('.')[1] ?? '', 'base64url').toString('utf8'));
  } catch {
    return undefined;
  }
}
