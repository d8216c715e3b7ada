/** What a worker bundles: the conversation workflow, and the delivery of webhooks. They decide and never act; must not know storage, HTTP or LangGraph. */
export { conversation } from './conversation.js';
export { webhook } from './webhook.js';
