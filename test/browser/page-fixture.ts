import { resolve } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { ServiceProcesses } from '../support/house.js';
import { ModelServer } from '../support/model-server.js';
import { servePage, startBrowser } from './browser.js';

/** Timeout of every wait, in ms. It is longer than any expected delay. */
const WAIT_MS = 20_000;

/** A worker, an API process, a scripted model, and a browser page that uses them. */
export class PageFixture {
  readonly #pages: Page[] = [];

  private constructor(
    readonly model: ModelServer,
    readonly house: ServiceProcesses,
    private readonly apiUrl: string,
    private readonly site: Awaited<ReturnType<typeof servePage>>,
    private readonly browser: Browser,
  ) {}

  static async start(page: string): Promise<PageFixture> {
    const model = await ModelServer.start();
    const house = new ServiceProcesses(resolve('test/fixtures/projects/pages/langgraph.json'), {
      MODEL_URL: model.url,
    });
    const [api, , site, browser] = await Promise.all([house.api(), house.worker(), servePage(page), startBrowser()]);
    return new PageFixture(model, house, api.url, site, browser);
  }

  /** Opens a tab. With the address of another tab, the new tab shows the same thread. */
  async open(address = `${this.site.url}?api=${encodeURIComponent(this.apiUrl)}`): Promise<ChatPage> {
    const page = await this.browser.newPage();
    page.setDefaultTimeout(WAIT_MS);
    this.#pages.push(page);
    const chat = new ChatPage(page);
    await page.goto(address);
    return chat;
  }

  async reset(): Promise<void> {
    this.model.release();
    this.model.reset();
    await Promise.all(this.#pages.splice(0).map((page) => page.close()));
  }

  async stop(): Promise<void> {
    await this.browser.close();
    await Promise.all([this.site.close(), this.house.stop()]);
    await this.model.close();
  }
}

/** A chat page as its user sees it. Every check waits until the page meets it, or throws. */
export class ChatPage {
  readonly #errors: string[] = [];

  constructor(private readonly page: Page) {
    page.on('pageerror', ({ message }) => this.#errors.push(message));
  }

  address(): string {
    return this.page.url();
  }

  async say(text: string): Promise<void> {
    await this.page.getByTestId('input').fill(text);
    await this.page.getByTestId('send').click();
  }

  /** Waits until the page shows exactly these messages. */
  async shows(texts: string[]): Promise<void> {
    const shown = `[...document.querySelectorAll('[data-testid=text]')].map((one) => one.textContent)`;
    try {
      await this.page.waitForFunction(`JSON.stringify(${shown}) === ${JSON.stringify(JSON.stringify(texts))}`);
    } catch (cause) {
      const errors = this.#errors.length > 0 ? `; errors of the page: ${this.#errors.join('; ')}` : '';
      throw new Error(`the page shows ${JSON.stringify(await this.page.evaluate(shown))}${errors}`, { cause });
    }
  }

  async isIdle(): Promise<void> {
    await this.page.getByTestId('status').getByText('idle').waitFor();
  }

  async question(): Promise<string> {
    const text = await this.page.getByTestId('question').evaluate((node) => node.firstChild?.textContent ?? '');
    return text.trim();
  }

  async answer(): Promise<void> {
    await this.page.getByTestId('question').getByRole('button').click();
  }

  /** Replaces the text of the user's message number `n`, counted from 0. */
  async edit(n: number, text: string): Promise<void> {
    await this.page.getByTestId('input').fill(text);
    await this.page.getByTestId('edit').nth(n).click();
  }

  /** Requests a new version of the answer number `n`, counted from 0. */
  async regenerate(n: number): Promise<void> {
    await this.page.getByTestId('regenerate').nth(n).click();
  }

  async version(n: number): Promise<void> {
    await this.page.getByTestId('version').nth(n).click();
  }

  reload(): Promise<unknown> {
    return this.page.reload();
  }
}
