/**
 * Sends HTTP requests to other servers. Reaches private networks only where the operator allows it.
 * Also stores the webhook deliveries that wait to be sent. The code in this folder knows nothing
 * about runs and graphs.
 */
export { AddressGuard } from './address-guard.js';
export { createEgress } from './http.js';
export type { Egress, EgressAnswer, EgressOptions, EgressPost } from './http.js';
export { createDeliveryStore, ensureIndexes } from './delivery-store.js';
export type { Delivery, DeliveryStore } from './delivery-store.js';
export { signatureHeaders } from './signature.js';
