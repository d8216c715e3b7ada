/** The one way out: HTTP that never reaches into our own network unless it may, and the deliveries that wait to leave. Knows no run and no graph. */
export { AddressGuard } from './address-guard.js';
export { createEgress } from './http.js';
export type { Egress, EgressAnswer, EgressOptions, EgressPost } from './http.js';
export { createDeliveryStore, ensureIndexes } from './delivery-store.js';
export type { Delivery, DeliveryStore } from './delivery-store.js';
export { signatureHeaders } from './signature.js';
