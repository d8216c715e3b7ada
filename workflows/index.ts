/**
 * What a worker bundles: the conversation workflow, the firing of a cron, the delivery of webhooks.
 * They decide and never act; must not know storage, HTTP or LangGraph.
 */
export { conversation } from './conversation.js';
export { cron } from './cron.js';
export { webhook } from './webhook.js';
