import { describe, expect, it } from '@jest/globals';
import { CANDIDATES, findCandidate, searchCandidates } from '../../agents/hiring-assistant/candidates.js';
import { mergeWishes, readWishes } from '../../agents/hiring-assistant/wishes.js';

describe('the candidates of the hiring assistant', () => {
  it('are sixty fictional people with unique ids and with e-mail addresses of a domain reserved for examples', () => {
    expect(new Set(CANDIDATES.map(({ id }) => id)).size).toBe(60);
    expect(CANDIDATES.every(({ email }) => email.endsWith('@example.com'))).toBe(true);
  });

  it('are found by title and skills, the best match first, each with the reasons for the match', () => {
    const { matches, relaxed } = searchCandidates({ query: 'Backend Engineer', skills: ['Temporal'], limit: 3 });
    expect(relaxed).toEqual([]);
    expect(matches).toHaveLength(3);
    expect(matches[0]?.candidate).toMatchObject({ title: 'Backend Engineer' });
    expect(matches[0]?.candidate.skills).toContain('Temporal');
    expect(matches[0]?.reasons).toContain('knows Temporal');
  });

  it('are filtered by seniority and by location; a remote candidate matches every location', () => {
    const { matches } = searchCandidates({ query: 'Engineer', location: 'Berlin', seniority: 'senior', limit: 60 });
    expect(matches.length).toBeGreaterThan(0);
    for (const { candidate } of matches) {
      expect(candidate.remote || candidate.location.startsWith('Berlin')).toBe(true);
      expect(['senior', 'lead']).toContain(candidate.seniority);
    }
  });

  it('are searched again with fewer filters if nobody matches, and the result names the dropped filters', () => {
    const { matches, relaxed } = searchCandidates({
      query: 'Security Engineer',
      skills: ['Threat Modelling'],
      location: 'Oslo',
      seniority: 'junior',
      limit: 2,
    });
    expect(matches.length).toBeGreaterThan(0);
    expect(relaxed.length).toBeGreaterThan(0);
  });

  it('are left out of the result if the search excludes their ids', () => {
    const query = { query: 'Product Designer', limit: 2 };
    const seen = searchCandidates(query).matches.map(({ candidate }) => candidate.id);
    const next = searchCandidates({ ...query, exclude: seen }).matches.map(({ candidate }) => candidate.id);
    expect(next.filter((id) => seen.includes(id))).toEqual([]);
    expect(findCandidate(next[0] ?? '')?.title).toBe('Product Designer');
  });

  it('are not found if no word of the query matches', () => {
    expect(searchCandidates({ query: 'zzzz', limit: 4 })).toEqual({ matches: [], relaxed: [] });
  });
});

describe('the wishes (hiring criteria) in a message', () => {
  it.each([
    ['a senior backend engineer who knows Go', { role: 'Backend Engineer', skills: ['Go'], seniority: 'senior' }],
    ['let us go on with node.js in Paris', { skills: ['Node.js'], location: 'Paris' }],
    ['remote product designers', { role: 'Product Designer', location: 'remote' }],
    ['a game tester or a tax analyst', { role: 'tax analyst' }],
    ['our Node-based developers', { role: 'Node-based developer' }],
    ['-x++ programmer', { role: 'x++ programmer' }],
    ['x1y architect', { role: 'architect' }],
    ['grade 5-a writer', { role: '-a writer' }],
    ['a bio-analyst', { role: 'analyst' }],
    ['a bioanalyst', {}],
    ['analyst-programmer writer', { role: 'analyst-programmer writer' }],
    [' --- analyst', { role: 'analyst' }],
    ['senior analyst', { role: 'senior analyst', seniority: 'senior' }],
    ['it does not matter', { anything: true }],
    ['hello', {}],
  ])('are read from "%s"', (text, expected) => {
    expect(readWishes(text)).toEqual(expected);
  });

  it.each(['a-', 'a-b ', '+', '5-', 'a', 'senior ', 'does not ', 'back- ', 'node.js', 'é'])(
    'are read from the end of a message that starts with 80,000 repetitions of %j',
    (hostile) => {
      const text = `${hostile.repeat(80_000)} analyst in Lisbon`;
      expect(readWishes(text)).toMatchObject({ location: 'Lisbon' });
    },
  );

  it('are merged over several messages: later values replace earlier ones, and skills add up', () => {
    expect(mergeWishes([{ role: 'A', skills: ['Go'] }, { role: 'B', skills: ['Rust'] }, {}])).toEqual({
      role: 'B',
      skills: ['Go', 'Rust'],
    });
  });
});
