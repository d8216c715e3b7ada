import { isRecord, textOf } from './events.js';

/** A payload of stream mode `tools` as an event of the channel `tools`. */
export function toolEvent(payload: unknown): Record<string, unknown> {
  const told = isRecord(payload) ? payload : {};
  const call = { tool_call_id: textOf(told['toolCallId']) };
  switch (told['event']) {
    case 'on_tool_start':
      return { event: 'tool-started', ...call, tool_name: textOf(told['name']) || 'unknown', input: told['input'] };
    case 'on_tool_event':
      return { event: 'tool-output-delta', ...call, delta: textOf(told['data'] ?? '') };
    case 'on_tool_end':
      return { event: 'tool-finished', ...call, output: told['output'] };
    case 'on_tool_error':
      return { event: 'tool-error', ...call, message: messageOf(told['error']) };
    default:
      return { event: 'tool-error', ...call, message: `unknown tool event ${textOf(told['event'])}` };
  }
}

function messageOf(error: unknown): string {
  return isRecord(error) && typeof error['message'] === 'string' ? error['message'] : textOf(error) || 'unknown error';
}
