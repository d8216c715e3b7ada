/**
 * Validates the inputs that Temporal clients, the CLI and the Web UI send to a conversation. Every
 * error is an `invalid_argument` that names the field and the value.
 */
import { CANCEL_ACTIONS, ColloquyError, MULTITASK_STRATEGIES, conversationId } from '../protocol/index.js';
import type { CancelAction } from '../protocol/index.js';
import { DEFAULT_SETTINGS } from './contract.js';
import type {
  CancelRuns,
  ConversationInput,
  ConversationSettings,
  EditedState,
  InjectMessage,
  MessageSignal,
  ResumeConversation,
  SubmitRun,
} from './contract.js';

/**
 * Maximum length of an id or an idempotency key, in characters. It is limited, because the workflow
 * history contains ids and keys.
 */
const MAX_ID = 256;

type Fields = Record<string, unknown>;

/**
 * Reads the workflow's input. Tenant and thread may be missing, because the workflow id contains
 * them. If given, they must be equal to those in the workflow id, because otherwise two workflows
 * would write the same thread.
 */
export function readInput(workflowId: string, given: unknown): ConversationInput {
  const fields = given === undefined || given === null ? {} : readObject('input', given);
  const [prefix, tenant, threadId, ...rest] = workflowId.split('/');
  if (prefix !== 'conversation' || !tenant || !threadId || rest.length > 0) {
    throw invalid(`workflow id ${workflowId} is not a conversation's; expected conversation/<tenant>/<thread>`);
  }
  const wanted = { tenant: fields.tenant ?? tenant, threadId: fields.threadId ?? threadId };
  if (wanted.tenant !== tenant || wanted.threadId !== threadId) {
    const expected = conversationId(show(wanted.tenant), show(wanted.threadId));
    throw invalid(`workflow id is ${workflowId}; its input requires ${expected}`);
  }
  const input: ConversationInput = { tenant, threadId, settings: readSettings(fields.settings) };
  if (fields.ephemeral === true) input.ephemeral = true;
  if (fields.carried !== undefined) input.carried = fields.carried as NonNullable<ConversationInput['carried']>;
  return input;
}

function readSettings(given: unknown): ConversationSettings {
  const fields = given === undefined ? {} : readObject('settings', given);
  const settings = { ...DEFAULT_SETTINGS };
  for (const name of Object.keys(settings) as (keyof ConversationSettings)[]) {
    const value = fields[name] ?? settings[name];
    if (!Number.isSafeInteger(value) || (value as number) < 0) {
      throw invalid(`settings.${name} is ${show(value)}; expected a whole number from 0`);
    }
    settings[name] = value as number;
  }
  return settings;
}

export function readSubmit(given: unknown): SubmitRun {
  const fields = readObject('submit', given);
  const strategy = fields.strategy as SubmitRun['strategy'];
  if (!MULTITASK_STRATEGIES.includes(strategy)) {
    throw invalid(`submit.strategy is ${show(strategy)}; expected one of ${MULTITASK_STRATEGIES.join(', ')}`);
  }
  return {
    runId: readId('submit.runId', fields.runId),
    graphId: readId('submit.graphId', fields.graphId),
    assistantId: readId('submit.assistantId', fields.assistantId),
    strategy,
    ...(fields.key === undefined ? {} : { key: readId('submit.key', fields.key) }),
    ...(fields.resumes === true ? { resumes: true } : {}),
    ...(fields.webhook === true ? { webhook: true } : {}),
    ...(fields.notBefore === undefined ? {} : { notBefore: readTime('submit.notBefore', fields.notBefore) }),
  };
}

export function readInject(given: unknown): InjectMessage {
  const fields = readObject('inject', given);
  onlyFields('inject', fields, ['runId', 'graphId', 'assistantId']);
  return {
    runId: readId('inject.runId', fields.runId),
    graphId: readId('inject.graphId', fields.graphId),
    assistantId: readId('inject.assistantId', fields.assistantId),
  };
}

export function readCancel(given: unknown): CancelRuns {
  const fields = readObject('cancel', given);
  onlyFields('cancel', fields, ['runIds', 'action']);
  return { runIds: readRunIds(fields.runIds), action: readAction(fields.action) };
}

/**
 * Like {@link readCancel}, but for the signal: every field has a default, and the input may also be
 * a run id or `all`.
 */
export function readCancelSignal(given: unknown): CancelRuns {
  if (given === undefined || given === null) return { runIds: 'all', action: 'interrupt' };
  if (typeof given === 'string' && given !== 'all') return { runIds: [readId('cancel', given)], action: 'interrupt' };
  const fields = given === 'all' ? {} : readObject('cancel', given);
  return readCancel({ runIds: 'all', action: 'interrupt', ...fields });
}

function readRunIds(given: unknown): CancelRuns['runIds'] {
  if (given === 'all') return 'all';
  if (!Array.isArray(given)) throw invalid(`cancel.runIds is ${show(given)}; expected a list of run ids, or "all"`);
  return given.map((id, index) => readId(`cancel.runIds[${index}]`, id));
}

function readAction(given: unknown): CancelAction {
  if (CANCEL_ACTIONS.includes(given as CancelAction)) return given as CancelAction;
  throw invalid(`cancel.action is ${show(given)}; expected one of ${CANCEL_ACTIONS.join(', ')}`);
}

export function readResume(given: unknown): ResumeConversation {
  const fields = readObject('resume', given);
  onlyFields('resume', fields, ['value', 'interruptId']);
  if (fields.value === undefined) throw invalid('resume.value is missing: the answer to the question');
  return {
    value: fields.value,
    ...(fields.interruptId === undefined ? {} : { interruptId: readId('resume.interruptId', fields.interruptId) }),
  };
}

/**
 * Like {@link readResume}, but for the signal: an input that has neither the field `value` nor the
 * field `interruptId` is the answer itself.
 */
export function readResumeSignal(given: unknown): ResumeConversation {
  if (given === undefined) throw invalid(`resume has no input; expected the answer, as in --input '"approve"'`);
  const wrapped = isObject(given) && ('value' in given || 'interruptId' in given);
  return wrapped ? readResume(given) : { value: given };
}

export function readEditedSignal(given: unknown): EditedState {
  const fields = readObject('edited', given);
  onlyFields('edited', fields, ['closed', 'status']);
  const { closed, status } = fields;
  if (!Array.isArray(closed)) throw invalid(`edited.closed is ${show(closed)}; expected a list of interrupt ids`);
  if (status !== 'idle' && status !== 'interrupted')
    throw invalid(`edited.status is ${show(status)}; expected idle or interrupted`);
  return { closed: closed.map((id, index) => readId(`edited.closed[${index}]`, id)), status };
}

/** Reads the signal `message`: a bare string, or `{ input, assistantId?, key? }`. */
export function readMessageSignal(given: unknown): MessageSignal {
  if (typeof given === 'string' && given !== '') return { input: given };
  if (!isObject(given) || given.input === undefined) {
    throw invalid(`message is ${kindOf(given)}; expected a text, or an object with input, the graph's input`);
  }
  onlyFields('message', given, ['input', 'assistantId', 'key']);
  return {
    input: given.input,
    ...(given.assistantId === undefined ? {} : { assistantId: readId('message.assistantId', given.assistantId) }),
    ...(given.key === undefined ? {} : { key: readId('message.key', given.key) }),
  };
}

function readId(field: string, given: unknown): string {
  if (typeof given === 'string' && given.length > 0 && given.length <= MAX_ID) return given;
  throw invalid(`${field} is ${show(given)}; expected a text of 1 to ${MAX_ID} characters`);
}

function readTime(field: string, given: unknown): string {
  if (typeof given === 'string' && !Number.isNaN(Date.parse(given))) return given;
  throw invalid(`${field} is ${show(given)}; expected a time in ISO 8601`);
}

function readObject(field: string, given: unknown): Fields {
  if (isObject(given)) return given;
  throw invalid(`${field} is ${show(given)}; expected an object`);
}

function onlyFields(name: string, fields: Fields, known: string[]): void {
  const unknown = Object.keys(fields).filter((field) => !known.includes(field));
  if (unknown.length > 0) throw invalid(`${name} has unknown ${unknown.join(', ')}; it may have ${known.join(', ')}`);
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value);
}

/** Formats a value for an error message, cut to 80 characters. */
function show(value: unknown): string {
  if (value === undefined) return 'missing';
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.length <= 80 ? text : `${text.slice(0, 79)}…`;
}

/**
 * Describes a wrong argument of the signal `message`, for example as `an empty text` or as `an
 * object with text`. The description becomes part of a note, which says why the signal was refused.
 * Notes are logged, and continue-as-new carries them into the next history. So the description may
 * contain the names of fields, but no values, because these may be what a person wrote.
 */
function kindOf(value: unknown): string {
  if (value === undefined) return 'missing';
  if (isObject(value)) return `an object with ${Object.keys(value).join(', ') || 'no field'}`;
  return value === '' ? 'an empty text' : 'no text and no object';
}

function invalid(message: string): ColloquyError {
  return new ColloquyError('invalid_argument', message);
}
