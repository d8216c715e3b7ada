import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { PageFixture } from './page-fixture.js';

describe.each([
  ["the SDK's useStream", 'sdk'],
  ["LangChain's React package", 'react'],
])('a page with %s', (_hook, name) => {
  let fixture: PageFixture;
  beforeAll(async () => void (fixture = await PageFixture.start(name)), 60_000);
  afterEach(() => fixture.reset());
  afterAll(() => fixture.stop());

  it('shows streamed text, and continues the stream after a reload', async () => {
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

  it('shows an interrupt and sends the answer', async () => {
    const page = await fixture.open();
    await page.say('send it');
    expect(await page.question()).toBe('Send it?');
    await page.reload();
    expect(await page.question()).toBe('Send it?');
    await page.answer();
    await page.shows(['send it', 'Sent.']);
    await page.isIdle();
  });

  it("lets a person edit a message on a new branch, regenerate the model's message, and return to the first branch", async () => {
    const page = await fixture.open();
    await page.say('first');
    await page.shows(['first', 'Answer to "first".']);
    await page.isIdle();
    await page.say('second');
    await page.shows(['first', 'Answer to "first".', 'second', 'Answer to "second".']);
    await page.isIdle();
    fixture.model.add({ reply: { text: 'edited and cut', stallAfter: 2 } });
    await page.edit(1, 'other');
    await page.shows(['first', 'Answer to "first".', 'other', 'edited and ']);
    await page.reload();
    await page.shows(['first', 'Answer to "first".', 'other', 'edited and ']);
    fixture.model.release();
    await page.shows(['first', 'Answer to "first".', 'other', 'edited and cut']);
    await page.isIdle();
    fixture.model.reset();
    await page.regenerate(1);
    await page.shows(['first', 'Answer to "first".', 'other', 'Answer to "other".']);
    await page.isIdle();
    await page.version(0);
    await page.shows(['first', 'Answer to "first".', 'second', 'Answer to "second".']);
  });

  it('shows one conversation in two tabs', async () => {
    const page = await fixture.open();
    await page.say('from the first');
    await page.shows(['from the first', 'Answer to "from the first".']);
    await page.isIdle();
    const other = await fixture.open(page.address());
    await other.shows(['from the first', 'Answer to "from the first".']);
    await other.say('from the second');
    const both = [
      ...['from the first', 'Answer to "from the first".'],
      ...['from the second', 'Answer to "from the second".'],
    ];
    await other.shows(both);
    await other.isIdle();
    // Only LangChain's React package is expected to show a run that another tab has started.
    if (name === 'react') await page.shows(both);
    await page.say('again');
    await page.shows([...both, 'again', 'Answer to "again".']);
  });
});
