/**
 * The workflows that a worker bundles: conversation, cron firing and webhook delivery. They make
 * decisions and leave all I/O to activities. They do not use storage, HTTP or LangGraph.
 */
export { conversation } from './conversation.js';
export { cron } from './cron.js';
export { webhook } from './webhook.js';
