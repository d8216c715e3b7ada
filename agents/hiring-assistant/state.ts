import { Annotation, MessagesAnnotation } from '@langchain/langgraph';
import { z } from 'zod';

export const SENIORITIES = ['junior', 'mid', 'senior', 'lead'] as const;
export type Seniority = (typeof SENIORITIES)[number];

/** The search brief. A field is absent if the person does not care about it. */
export const briefSchema = z.object({
  role: z.string().min(1).describe('Job title, such as Backend Engineer'),
  skills: z.array(z.string()).max(12).describe('Skills to look for, most important first; empty if none matters'),
  location: z.string().optional().describe('City, country, or remote; leave out if it does not matter'),
  seniority: z.enum(SENIORITIES).optional().describe('Leave out if it does not matter'),
});
export type Brief = z.infer<typeof briefSchema>;

export const AGENTS = ['intake', 'sourcing', 'outreach'] as const;
export type AgentName = (typeof AGENTS)[number];

/** A person's decision about one drafted message. */
export interface Decision {
  callId: string;
  candidateId: string;
  action: 'send' | 'discard';
  /** Whether the person changed the draft. */
  edited: boolean;
  subject: string;
  body: string;
  /** The person's reason for discarding the message. */
  reason?: string;
}

export interface SentMessage {
  callId: string;
  candidateId: string;
  name: string;
  subject: string;
}

// A key of the state whose reducer keeps the last value. Every key needs a reducer, because tools
// that run in parallel may set the same key.
const last = <T>(initial: () => T) => Annotation<T>({ reducer: (_, next) => next, default: initial });

function addSent(all: SentMessage[], more: SentMessage[]): SentMessage[] {
  const known = new Set(all.map((message) => message.callId));
  return [...all, ...more.filter((message) => !known.has(message.callId))];
}

/**
 * State of the hiring assistant. The facade (the parent graph) and its three agents (its subgraphs)
 * share it.
 */
export const HiringState = Annotation.Root({
  ...MessagesAnnotation.spec,
  /** The active agent. */
  agent: last<AgentName>(() => 'intake'),
  brief: last<Brief | null>(() => null),
  /** Candidates of the last search, best first. */
  shortlist: last<{ id: string; name: string }[]>(() => []),
  decision: last<Decision | null>(() => null),
  /**
   * All sent messages. When an agent is done, it returns the whole list to the facade, which
   * already has the older messages of that list. So the reducer adds only messages with a new call
   * id.
   */
  sent: Annotation<SentMessage[], SentMessage[]>({ reducer: addSent, default: () => [] }),
});

export type HiringStateType = typeof HiringState.State;
