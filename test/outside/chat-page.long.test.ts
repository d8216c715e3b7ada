import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, resolve } from 'node:path';
import express from 'express';
import type { Browser, Page } from 'playwright-core';
import { startBrowser } from '../browser/browser.js';
import { ServiceProcesses } from '../support/house.js';
import { ModelServer } from '../support/model-server.js';
import { buildChatPage, createChatApp } from './chat-app.js';

/**
 * Tests LangChain's Agent Chat UI in a browser, as `create-agent-chat-app` generates it. The UI
 * contains the agent inbox, which shows interrupts.
 */
describe('Agent Chat UI', () => {
  const app = createChatApp();
  let model: ModelServer;
  let house: ServiceProcesses;
  let site: Server;
  let browser: Browser;
  let apiUrl: string;

  beforeAll(async () => {
    const folder = buildChatPage(app);
    site = createServer(express().use(express.static(folder))).listen(0, '127.0.0.1');
    model = await ModelServer.start();
    house = new ServiceProcesses(resolve('test/fixtures/projects/pages/langgraph.json'), { MODEL_URL: model.url });
    const [api, started] = await Promise.all([house.api(), startBrowser(), house.worker()]);
    [apiUrl, browser] = [api.url, started];
  });
  afterEach(() => {
    model.release();
    model.reset();
  });
  afterAll(async () => {
    await browser.close();
    site.close();
    await house.stop();
    await model.close();
    rmSync(dirname(app), { recursive: true, force: true });
  });

  async function open(shown: Record<string, string> = {}): Promise<Page> {
    const page = await browser.newPage();
    page.setDefaultTimeout(20_000);
    const query = new URLSearchParams({ apiUrl, assistantId: 'inbox', ...shown }).toString();
    await page.goto(`http://127.0.0.1:${(site.address() as AddressInfo).port}/?${query}`);
    return page;
  }

  async function say(page: Page, text: string): Promise<void> {
    await page.getByPlaceholder('Type your message...').fill(text);
    await page.getByRole('button', { name: 'Send', exact: true }).click();
  }

  it("shows the model's message as it streams, and the conversation after a reload", async () => {
    model.add({ reply: { text: 'one two three four', stallAfter: 2 } });
    const page = await open();
    await say(page, 'count');
    await page.getByText('one two', { exact: true }).waitFor();
    await page.getByRole('button', { name: 'Cancel' }).waitFor();
    model.release();
    await page.getByText('one two three four').waitFor();
    await page.getByRole('button', { name: 'Send', exact: true }).waitFor();
    await page.reload();
    await page.getByText('one two three four').waitFor();
    await page.close();
  });

  it('lists the conversations, and opens the one that the person clicks', async () => {
    const page = await open();
    await say(page, 'hello there');
    await page.getByText('Answer to "hello there".').waitFor();
    const other = await open({ chatHistoryOpen: 'true' });
    await other.getByRole('button', { name: 'hello there' }).click();
    await other.getByText('Answer to "hello there".').waitFor();
    await Promise.all([page.close(), other.close()]);
  });

  it('shows a question in the agent inbox, even after a reload, and sends the approval', async () => {
    const page = await open();
    await say(page, 'send it to Ada');
    await page.getByText('send_mail').waitFor();
    await page.reload();
    await page.getByRole('button', { name: 'Accept' }).click();
    await page.getByText('It is sent.').waitFor();
    expect(await page.getByText('An error occurred').count()).toBe(0);
    await page.close();
  });

  it("replaces the model's message when the person clicks Refresh", async () => {
    model.add({ times: 1, reply: { text: 'the first answer' } });
    const page = await open();
    await say(page, 'again');
    await page.getByText('the first answer').hover();
    await page.getByRole('button', { name: 'Refresh' }).click();
    await page.getByText('Answer to "again".').waitFor();
    expect(await page.getByText('the first answer').count()).toBe(0);
    await page.close();
  });
});
