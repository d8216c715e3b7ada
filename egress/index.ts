/**
 * Outgoing HTTP, which reaches private networks only where the operator allows it, and the store of
 * webhook deliveries that wait to be sent. Knows no run and no graph.
 */
export { AddressGuard } from './address-guard.js';
export { createEgress } from './http.js';
export type { Egress, EgressAnswer, EgressOptions, EgressPost } from './http.js';
export { createDeliveryStore, ensureIndexes } from './delivery-store.js';
export type { Delivery, DeliveryStore } from './delivery-store.js';
export { signatureHeaders } from './signature.js';
