import type { StreamMode } from '../../protocol/index.js';
import type { ClientEvent } from '../../conversations/run-events.js';

export interface EventFilter {
  /** Only these modes of those that were recorded. */
  modes?: readonly StreamMode[] | undefined;
  /** Only these checkpoint namespaces; `''` is the root graph. */
  namespaces?: readonly string[] | undefined;
}

/** Event names that belong to no mode: every reader needs them. */
const ALWAYS = ['metadata', 'error', 'feedback'];

/** Says which events a client asked for. */
export function eventFilter({ modes, namespaces }: EventFilter): (event: ClientEvent) => boolean {
  if (!modes && !namespaces) return () => true;
  return ({ event }) => {
    if (ALWAYS.includes(event)) return true;
    const { name, namespace } = splitName(event);
    return (modes?.some((mode) => modeTells(mode, name)) ?? true) && (namespaces?.includes(namespace) ?? true);
  };
}

/** `messages/partial|tools:1|agent:2` is `messages/partial` of namespace `tools:1|agent:2`. */
function splitName(event: string): { name: string; namespace: string } {
  const bar = event.indexOf('|');
  return bar < 0 ? { name: event, namespace: '' } : { name: event.slice(0, bar), namespace: event.slice(bar + 1) };
}

function modeTells(mode: StreamMode, name: string): boolean {
  if (mode === 'messages-tuple') return name === 'messages';
  if (mode === 'messages') return name.startsWith('messages/');
  return name === mode;
}
