import { execFileSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

/**
 * Generates a project with `create-agent-chat-app`, with the ReAct agent. Returns the folder of the
 * project.
 */
export function createChatApp(): string {
  const folder = mkdtempSync(join(tmpdir(), 'colloquy-chat-app-'));
  const answers = ['--project-name', 'app', '--package-manager', 'npm', '--install-deps', 'false'];
  const app = ['--framework', 'vite', '--include-agent', 'react'];
  execFileSync(process.execPath, [resolve('node_modules/create-agent-chat-app/index.js'), '-Y', ...answers, ...app], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  return join(folder, 'app');
}

/**
 * Builds Agent Chat UI, which is part of the project that {@link createChatApp} generates. Returns
 * the folder of the built web page.
 */
export function buildChatPage(app: string): string {
  const cwd = join(app, 'apps', 'web');
  const stdio: ('ignore' | 'inherit')[] = ['ignore', 'ignore', 'inherit'];
  const flags = ['--no-audit', '--no-fund', '--prefer-offline', '--ignore-scripts', '--legacy-peer-deps', '--silent'];
  execFileSync('npm', ['install', ...flags], { cwd, stdio });
  execFileSync('npx', ['vite', 'build', '--logLevel', 'error'], { cwd, stdio });
  return join(cwd, 'dist');
}

/**
 * A package that replaces `@langchain/community`. It has only the search tool that the agent
 * imports, and that tool does not use the internet.
 */
export const SEARCH_PACKAGE = {
  '@langchain/community': {
    'package.json': JSON.stringify({ type: 'module', exports: { './tools/tavily_search': './tavily_search.js' } }),
    'tavily_search.js': `
      import { Tool } from '@langchain/core/tools';
      export class TavilySearchResults extends Tool {
        name = 'tavily_search_results_json';
        description = 'A search engine. Input should be a search query.';
        async _call(query) { return JSON.stringify([{ title: query, url: 'https://example.com' }]); }
      }`,
  },
};

/**
 * A package that replaces `langchain`. It has only the function `initChatModel`. For OpenAI models,
 * the original function calls an endpoint that few OpenAI-compatible servers have.
 */
export const MODEL_PACKAGE = {
  langchain: {
    'package.json': JSON.stringify({ type: 'module', exports: { './chat_models/universal': './universal.js' } }),
    'universal.js': `
      import { ChatOpenAI } from '@langchain/openai';
      export const initChatModel = async (model) => new ChatOpenAI({ model });`,
  },
};
