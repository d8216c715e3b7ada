import { CANDIDATES } from './candidates.js';
import { SENIORITIES, type Brief, type Seniority } from './state.js';

/** Search criteria that regular expressions find in a person's message. */
export interface Wishes extends Partial<Brief> {
  /** True if the person said that further criteria do not matter, such as "anyone is fine". */
  anything?: boolean;
}

const unique = (words: string[]) => [...new Set(words)];
const TITLES = unique(CANDIDATES.map((candidate) => candidate.title));
const SKILLS = unique(CANDIDATES.flatMap((candidate) => candidate.skills));
const PLACES = unique(CANDIDATES.flatMap((candidate) => candidate.location.split(', ')));

const MENTIONS = new Map([...TITLES, ...SKILLS, ...PLACES].map((word) => [word, mentionOf(word)]));

/**
 * Patterns for synonyms of job titles, each with the title. The first pattern that matches counts.
 */
const TITLE_WORDS: readonly [RegExp, string][] = [
  [/back-?\s?end/i, 'Backend Engineer'],
  [/front-?\s?end/i, 'Frontend Engineer'],
  [/\b(ml|ai|machine learning)\b/i, 'Machine Learning Engineer'],
  [/data scientist/i, 'Data Scientist'],
  [/\bdata\b/i, 'Data Engineer'],
  [/\b(sre|devops|reliability)\b/i, 'Site Reliability Engineer'],
  [/\b(ux|ui|designer)\b/i, 'Product Designer'],
  [/\b(product manager|product owner|pm)\b/i, 'Product Manager'],
  [/\b(mobile|ios|android)\b/i, 'Mobile Engineer'],
  [/\bsecurity\b/i, 'Security Engineer'],
  [/\b(engineering manager|team lead|head of engineering)\b/i, 'Engineering Manager'],
];
const OTHER_TITLES = 'engineer|developer|programmer|designer|scientist|manager|analyst|architect|writer';
/**
 * Matches a job title, together with the word before it if there is one. A match must not begin in
 * the middle of that word. If a match could begin at every `-` in the word, the time for a message
 * such as `a-a-a-…` would grow with the square of the message's length.
 */
const ANY_TITLE = new RegExp(
  `(?:(?<![a-z+#.-])[+#.-]*?\\b(?<before>[a-z+#.-]+ )|\\b)(?<noun>${OTHER_TITLES})s?\\b`,
  'i',
);
const NO_PREFERENCE =
  /\b(any(thing|body|one|where)?|whatever|no preference|does(n't| not) matter|don't (care|mind)|not important)\b/i;
const SENIORITY_WORDS: readonly [RegExp, Seniority][] = [
  [/\b(lead|staff|principal)\b/i, 'lead'],
  [/\b(senior|experienced|sr)\b/i, 'senior'],
  [/\b(mid|mid-?level|intermediate|regular)\b/i, 'mid'],
  [/\b(junior|graduate|entry|jr)\b/i, 'junior'],
];

export function readWishes(text: string): Wishes {
  const role =
    TITLES.find((title) => mentions(text, title)) ??
    TITLE_WORDS.find(([word]) => word.test(text))?.[1] ??
    otherTitle(text);
  const skills = SKILLS.filter((skill) => mentions(text, skill));
  const location = /\bremote(ly)?\b/i.test(text) ? 'remote' : PLACES.find((place) => mentions(text, place));
  const seniority = SENIORITY_WORDS.find(([word]) => word.test(text))?.[1];
  return {
    ...(role === undefined ? {} : { role }),
    ...(skills.length === 0 ? {} : { skills }),
    ...(location === undefined ? {} : { location }),
    ...(seniority === undefined ? {} : { seniority }),
    ...(NO_PREFERENCE.test(text) ? { anything: true } : {}),
  };
}

/**
 * Merges wishes, oldest first. Later values replace earlier ones; the skills of all wishes are
 * kept.
 */
export function mergeWishes(all: readonly Wishes[]): Wishes {
  const skills = unique(all.flatMap((wishes) => wishes.skills ?? []));
  return { ...Object.assign({}, ...all), ...(skills.length > 0 ? { skills } : {}) } as Wishes;
}

function otherTitle(text: string): string | undefined {
  const { before = '', noun = '' } = ANY_TITLE.exec(text)?.groups ?? {};
  const title = `${before}${noun}`.replace(/^(an?|the|some|good|new|hire|for|need) /i, '');
  return title !== '' && !(SENIORITIES as readonly string[]).includes(title.toLowerCase()) ? title : undefined;
}

function mentions(text: string, word: string): boolean {
  return MENTIONS.get(word)?.test(text) ?? false;
}

function mentionOf(word: string): RegExp {
  // Go and R are also English words, so the names of these skills match only in the right case.
  const flags = word.length <= 2 ? 'u' : 'iu';
  const escaped = word.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  return new RegExp(`(?<![\\p{L}\\p{N}])${escaped}s?(?![\\p{L}\\p{N}+#])`, flags);
}
