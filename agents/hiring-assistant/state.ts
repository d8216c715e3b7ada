import { Annotation, MessagesAnnotation } from '@langchain/langgraph';
import { z } from 'zod';

export const SENIORITIES = ['junior', 'mid', 'senior', 'lead'] as const;
export type Seniority = (typeof SENIORITIES)[number];

/** What is looked for; an absent part does not matter. */
export const briefSchema = z.object({
  role: z.string().min(1).describe('Job title, such as Backend Engineer'),
  skills: z.array(z.string()).max(12).describe('Skills to look for, most important first; empty if none matters'),
  location: z.string().optional().describe('City, country, or remote; leave out if it does not matter'),
  seniority: z.enum(SENIORITIES).optional().describe('Leave out if it does not matter'),
});
export type Brief = z.infer<typeof briefSchema>;

export const AGENTS = ['intake', 'sourcing', 'outreach'] as const;
export type AgentName = (typeof AGENTS)[number];

/** A person's decision about one message. */
export interface Decision {
  callId: string;
  candidateId: string;
  action: 'send' | 'discard';
  /** Whether the person changed the draft. */
  edited: boolean;
  subject: string;
  body: string;
  /** Why not, in the person's words. */
  reason?: string;
}

export interface SentMessage {
  callId: string;
  candidateId: string;
  name: string;
  subject: string;
}

// Tools of one step may set the same key, so each key says what then happens: the last one wins, or all are kept.
const last = <T>(initial: () => T) => Annotation<T>({ reducer: (_, next) => next, default: initial });

function addSent(all: SentMessage[], more: SentMessage[]): SentMessage[] {
  const known = new Set(all.map((message) => message.callId));
  return [...all, ...more.filter((message) => !known.has(message.callId))];
}

/** State of the facade; its agents share it. */
export const HiringState = Annotation.Root({
  ...MessagesAnnotation.spec,
  /** The agent that has the word. */
  agent: last<AgentName>(() => 'intake'),
  brief: last<Brief | null>(() => null),
  /** Candidates found last, best first. */
  shortlist: last<{ id: string; name: string }[]>(() => []),
  decision: last<Decision | null>(() => null),
  /** By call: an agent gives the whole list back to the facade, which has its start already. */
  sent: Annotation<SentMessage[], SentMessage[]>({ reducer: addSent, default: () => [] }),
});

export type HiringStateType = typeof HiringState.State;
