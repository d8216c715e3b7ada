import type { StreamMode } from '../../protocol/index.js';
import type { ClientEvent } from '../../conversations/run-events.js';

export interface EventFilter {
  /**
   * If set, only events of these stream modes pass. A run has only events of the stream modes that
   * it was started with.
   */
  modes?: readonly StreamMode[] | undefined;
  /** If set, only events of these checkpoint namespaces pass; `''` is the root graph. */
  namespaces?: readonly string[] | undefined;
}

/** Names of events that have no stream mode and that every client needs. */
const ALWAYS = ['metadata', 'error', 'feedback'];

/** Returns a test for the events that a client wants. */
export function eventFilter({ modes, namespaces }: EventFilter): (event: ClientEvent) => boolean {
  if (!modes && !namespaces) return () => true;
  return ({ event }) => {
    if (ALWAYS.includes(event)) return true;
    const { name, namespace } = splitName(event);
    return (modes?.some((mode) => modeIncludes(mode, name)) ?? true) && (namespaces?.includes(namespace) ?? true);
  };
}

/**
 * Splits the name of an event. Example: `messages/partial|tools:1|agent:2` has the name
 * `messages/partial` and the namespace `tools:1|agent:2`.
 */
function splitName(event: string): { name: string; namespace: string } {
  const bar = event.indexOf('|');
  return bar < 0 ? { name: event, namespace: '' } : { name: event.slice(0, bar), namespace: event.slice(bar + 1) };
}

function modeIncludes(mode: StreamMode, name: string): boolean {
  if (mode === 'messages-tuple') return name === 'messages';
  if (mode === 'messages') return name.startsWith('messages/');
  return name === mode;
}
