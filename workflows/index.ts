/** What a worker bundles: the conversation workflow, and the firing of a cron. They decide and never act; must not know storage, HTTP or LangGraph. */
export { conversation } from './conversation.js';
export { cron } from './cron.js';
