/**
 * The Markdown text that the Temporal Web UI and CLI show for a conversation: its status, its open
 * questions and the commands to answer them.
 */
import { SIGNALS } from './contract.js';
import type { ConversationView, PendingInterrupt } from './contract.js';

/** Identifies the workflow in commands of the Temporal CLI. */
interface WorkflowAddress {
  workflowId: string;
  namespace: string;
}

export function describeConversation(view: ConversationView, address: WorkflowAddress): string {
  const signal = (name: string, input: string) => command(address, name, input);
  const blocks = [
    headline(view),
    ...delayed(view),
    ...questions(view, signal),
    ...invitation(view, signal),
    ...notes(view),
  ];
  return blocks.join('\n\n');
}

type Signal = (name: string, input: string) => string;

function headline(view: ConversationView): string {
  const { current, queue, interrupts, last } = view;
  if (current) {
    const nodes = current.nodes.length > 0 ? `: ${current.nodes.join(', ')}` : '';
    const behind = queue.length > 0 ? `, ${count(queue.length, 'run')} behind it` : '';
    const verb = view.closed ? 'Closing' : 'Working';
    const steered = view.injected ? `; ${count(view.injected.length, 'message')} on the way into it` : '';
    return `**${verb}** on turn ${view.turns}, run \`${current.runId}\`, step ${current.step}${nodes}${behind}${steered}.`;
  }
  if (view.closed) return `**Closed** after ${count(view.turns, 'turn')}.`;
  if (queue.length > 0) return `**About to work** on ${count(queue.length, 'run')}.`;
  if (interrupts.length > 0) {
    return `**Waiting for a person** after ${count(view.turns, 'turn')}: ${count(interrupts.length, 'question')}.`;
  }
  if (view.status === 'interrupted') return `**Paused** after ${count(view.turns, 'turn')}, before its next node.`;
  if (view.status === 'error' && last) {
    const cause = last.error ? `: ${last.error.error}: ${last.error.message}` : '.';
    return `**Failed** in run \`${last.runId}\`${cause}`;
  }
  const ending = last ? ` The last run, \`${last.runId}\`, ended in ${last.status}.` : '';
  return `**Idle** after ${count(view.turns, 'turn')}.${ending}`;
}

function delayed({ delayed: runs = [] }: ConversationView): string[] {
  const [first] = runs;
  if (first === undefined) return [];
  const others = runs.length > 1 ? `, and ${count(runs.length - 1, 'run')} later` : '';
  return [`Run \`${first.runId}\` begins at ${first.at}${others}.`];
}

function questions(view: ConversationView, signal: Signal): string[] {
  const alone = view.interrupts.length === 1;
  return view.interrupts.map((question, index) => {
    const answer = alone ? '"approve"' : JSON.stringify({ interruptId: question.id, value: 'approve' });
    const asked = `${index + 1}. ${about(question, view.threadId)}`;
    return `${asked}\n\nAnswer it, with any JSON:\n\n${signal(SIGNALS.resume, answer)}`;
  });
}

function about({ id, node, preview, deadline, defaultAnswer }: PendingInterrupt, threadId: string): string {
  if (preview === undefined) {
    const due = deadline ? ` At ${deadline} it gets its default answer.` : '';
    const read = `\`GET /threads/${threadId}\` of the API shows it in \`interrupts\`.`;
    return `Node \`${node}\` asks question \`${id}\`. ${read}${due}`;
  }
  const due = deadline ? ` At ${deadline} the answer is \`${JSON.stringify(defaultAnswer ?? null)}\`.` : '';
  const asked = questionIn(preview);
  // If `asked` is only one field of the question, the whole preview follows. It is shown as code,
  // so that the Markdown in it is not rendered.
  const whole = asked === undefined ? '' : `\n\n\`${preview.replaceAll('`', "'")}\``;
  return `Node \`${node}\` asks: ${asked ?? preview}${due}${whole}`;
}

/**
 * Returns the text of a question that is an object, from a field such as `question` or `message`.
 * Returns undefined if no text is found. Uses a regular expression, because a preview that was cut
 * off is not valid JSON.
 */
function questionIn(preview: string): string | undefined {
  const text = /^\{.*?"(?:question|message|prompt|description|text)":("(?:[^"\\]|\\.)*")/s.exec(preview)?.[1];
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as string;
  } catch {
    // The text is not valid JSON. An error here would fail the workflow task on every attempt.
    return undefined;
  }
}

function invitation(view: ConversationView, signal: Signal): string[] {
  if (view.closed) return [];
  if (view.status === 'busy') return [`Stop it:\n\n${signal(SIGNALS.cancel, '"all"')}`];
  return [`Send a message:\n\n${signal(SIGNALS.message, '"hello"')}`];
}

function notes({ notes: list }: ConversationView): string[] {
  return list.length === 0 ? [] : [`**Notes**\n\n${list.map(({ at, text }) => `- ${at} ${text}`).join('\n')}`];
}

function command({ workflowId, namespace }: WorkflowAddress, name: string, input: string): string {
  const space = namespace === 'default' ? '' : ` --namespace ${namespace}`;
  const quoted = input.replaceAll("'", "'\\''");
  const lines = [`temporal workflow signal${space}`, `-w ${workflowId}`, `--name ${name} --input '${quoted}'`];
  return `    ${lines.join(' \\\n      ')}`;
}

function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`;
}
