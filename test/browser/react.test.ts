import { afterAll, afterEach, beforeAll, describe, it, expect } from '@jest/globals';
import { PageFixture } from './page-fixture.js';

describe("a page with LangChain's React package", () => {
  let fixture: PageFixture;
  beforeAll(async () => void (fixture = await PageFixture.start('react')), 60_000);
  afterEach(() => fixture.reset());
  afterAll(() => fixture.stop());

  it('shows text as it streams, and goes on with it after a reload in the middle', async () => {
    fixture.model.add({ reply: { text: 'one two three four', stallAfter: 2 } });
    const page = await fixture.open();
    await page.say('count');
    await page.shows(['count', 'one two ']);
    await page.reload();
    await page.shows(['count', 'one two ']);
    fixture.model.release();
    await page.shows(['count', 'one two three four']);
    await page.isIdle();
  });

  it('asks, and takes the answer', async () => {
    const page = await fixture.open();
    await page.say('send it');
    expect(await page.question()).toBe('Send it?');
    await page.reload();
    expect(await page.question()).toBe('Send it?');
    await page.answer();
    await page.shows(['send it', 'Sent.']);
    await page.isIdle();
  });

  it('is one conversation in two tabs, as it goes on', async () => {
    const page = await fixture.open();
    await page.say('from the first');
    await page.shows(['from the first', 'Answer to "from the first".']);
    const other = await fixture.open(page.address());
    await other.shows(['from the first', 'Answer to "from the first".']);
    await other.say('from the second');
    const both = [
      ...['from the first', 'Answer to "from the first".'],
      ...['from the second', 'Answer to "from the second".'],
    ];
    await other.shows(both);
    await page.shows(both);
  });
});
