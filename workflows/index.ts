/** What a worker bundles: the conversation workflow. It decides and never acts; must not know storage, HTTP or LangGraph. */
export { conversation } from './conversation.js';
