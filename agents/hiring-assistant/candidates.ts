import MiniSearch from 'minisearch';
import data from './candidates.json' with { type: 'json' };
import { SENIORITIES, type Seniority } from './state.js';

/** A fictional person who may be hired. */
export interface Candidate {
  id: string;
  name: string;
  title: string;
  seniority: Seniority;
  /** Years of experience. */
  years: number;
  location: string;
  remote: boolean;
  skills: string[];
  summary: string;
  availability: string;
  email: string;
}

export interface CandidateQuery {
  /** Job title and other search words. */
  query: string;
  skills?: string[];
  location?: string;
  seniority?: Seniority;
  /** Ids of candidates that were shown before. */
  exclude?: string[];
  limit: number;
}

export interface CandidateMatch {
  candidate: Candidate;
  /** Reasons for the match: `knows Kafka`, `is in Lisbon, Portugal`. */
  reasons: string[];
}

export interface CandidateSearch {
  matches: CandidateMatch[];
  /** Filters that the search left out, because no candidate matched all filters. */
  relaxed: ('location' | 'seniority')[];
}

export const CANDIDATES: readonly Candidate[] = data as Candidate[];

/** A candidate matches if its search score is at least this share of the best score. */
const RELEVANT_SHARE = 0.15;

const byId = new Map(CANDIDATES.map((candidate) => [candidate.id, candidate]));

const index = new MiniSearch<Candidate>({
  fields: ['title', 'skills', 'summary'],
  extractField: (candidate, field) => {
    const value = candidate[field as keyof Candidate];
    return Array.isArray(value) ? value.join(' ') : String(value);
  },
  searchOptions: {
    boost: { skills: 3, title: 3 },
    prefix: (term) => term.length > 3,
    fuzzy: (term) => (term.length > 5 ? 0.2 : false),
  },
});
index.addAll(CANDIDATES);

export function findCandidate(id: string): Candidate | undefined {
  return byId.get(id);
}

/**
 * Returns the candidates that match a query, best first. Location and seniority are filters. If
 * nobody passes both filters, the search is repeated without seniority, then without location, then
 * without both.
 */
export function searchCandidates(query: CandidateQuery): CandidateSearch {
  const ranked = rank(query);
  for (const relaxed of [[], ['seniority'], ['location'], ['location', 'seniority']] as CandidateSearch['relaxed'][]) {
    const matches = ranked.filter((candidate) => passes(candidate, query, relaxed)).slice(0, query.limit);
    if (matches.length > 0) {
      const wished = relaxed.filter((wish) => query[wish] !== undefined);
      return {
        matches: matches.map((candidate) => ({ candidate, reasons: reasonsFor(candidate, query) })),
        relaxed: wished,
      };
    }
  }
  return { matches: [], relaxed: [] };
}

/**
 * Returns the candidates whose search score is high enough, best first. A candidate that only
 * shares a common word with the query, such as engineer, scores too low.
 */
function rank({ query, skills = [], exclude = [] }: CandidateQuery): Candidate[] {
  const hits = index.search([query, ...skills].join(' '));
  const enough = (hits[0]?.score ?? 0) * RELEVANT_SHARE;
  return hits
    .filter((hit) => hit.score >= enough && !exclude.includes(String(hit.id)))
    .map((hit) => byId.get(String(hit.id)))
    .filter((candidate) => candidate !== undefined);
}

function passes(candidate: Candidate, query: CandidateQuery, relaxed: CandidateSearch['relaxed']): boolean {
  if (query.seniority && !relaxed.includes('seniority') && !isAtLeast(candidate.seniority, query.seniority))
    return false;
  return !query.location || relaxed.includes('location') || isNear(candidate, query.location) || candidate.remote;
}

function reasonsFor(candidate: Candidate, query: CandidateQuery): string[] {
  const known = candidate.skills.filter((skill) => (query.skills ?? []).some((wanted) => isSame(skill, wanted)));
  const reasons = [
    `${candidate.seniority}, ${candidate.years} ${candidate.years === 1 ? 'year' : 'years'} as ${candidate.title}`,
  ];
  if (known.length > 0) reasons.push(`knows ${known.join(', ')}`);
  const remoteWanted = /remote/i.test(query.location ?? '');
  if (query.location && isNear(candidate, query.location) && !remoteWanted) reasons.push(`is in ${candidate.location}`);
  else if (query.location && candidate.remote) reasons.push(`works remotely from ${candidate.location}`);
  reasons.push(`available ${candidate.availability}`);
  return reasons;
}

function isNear(candidate: Candidate, location: string): boolean {
  const wanted = location.toLowerCase();
  if (wanted.includes('remote')) return candidate.remote;
  return candidate.location
    .toLowerCase()
    .split(', ')
    .some((part) => wanted.includes(part) || part.includes(wanted));
}

function isAtLeast(has: Seniority, wanted: Seniority): boolean {
  return wanted === 'junior' || wanted === 'mid'
    ? has === wanted
    : SENIORITIES.indexOf(has) >= SENIORITIES.indexOf(wanted);
}

function isSame(skill: string, wanted: string): boolean {
  return skill.toLowerCase() === wanted.trim().toLowerCase();
}
