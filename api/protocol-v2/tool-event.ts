import { isRecord, textOf } from './events.js';

/**
 * Converts an event of LangGraph's stream mode `tools` to the data of an event on the channel
 * `tools` of protocol v2.
 */
export function toolEvent(payload: unknown): Record<string, unknown> {
  const fields = isRecord(payload) ? payload : {};
  const call = { tool_call_id: textOf(fields['toolCallId']) };
  switch (fields['event']) {
    case 'on_tool_start':
      return { event: 'tool-started', ...call, tool_name: textOf(fields['name']) || 'unknown', input: fields['input'] };
    case 'on_tool_event':
      return { event: 'tool-output-delta', ...call, delta: textOf(fields['data'] ?? '') };
    case 'on_tool_end':
      return { event: 'tool-finished', ...call, output: fields['output'] };
    case 'on_tool_error':
      return { event: 'tool-error', ...call, message: messageOf(fields['error']) };
    default:
      return { event: 'tool-error', ...call, message: `unknown tool event ${textOf(fields['event'])}` };
  }
}

function messageOf(error: unknown): string {
  return isRecord(error) && typeof error['message'] === 'string' ? error['message'] : textOf(error) || 'unknown error';
}
