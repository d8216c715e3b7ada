import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { resolve } from 'node:path';
import bundledChromium from '@sparticuz/chromium';
import { build } from 'esbuild';
import { chromium, type Browser } from 'playwright-core';
import { withLock } from '../../servers/file-lock.js';

/**
 * The flags of the package are not used: they run the browser as one process, which exits with the
 * first closed tab.
 */
const ARGS = ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'];

/**
 * Starts Chromium from an npm package, so that a machine that can only reach the registry has it
 * too.
 */
export async function startBrowser(): Promise<Browser> {
  const executablePath = await withLock(resolve('.colloquy/chromium.lock'), () => bundledChromium.executablePath());
  return chromium.launch({ executablePath, args: ARGS, headless: true });
}

/** Serves a page of `pages/`, bundled like an application. */
export async function servePage(name: string): Promise<{ url: string; close(): Promise<void> }> {
  const { outputFiles } = await build({
    entryPoints: [resolve('test/browser/pages', `${name}.tsx`)],
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'browser',
    jsx: 'automatic',
    define: { 'process.env.NODE_ENV': '"production"' },
  });
  const script = outputFiles[0]?.text ?? '';
  const server = createServer((req, res) => {
    const isScript = req.url === '/page.js';
    res.setHeader('content-type', isScript ? 'text/javascript' : 'text/html');
    res.end(
      isScript ? script : '<!doctype html><meta charset="utf-8"><body><script type="module" src="/page.js"></script>',
    );
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    close: () => new Promise((closed) => server.close(() => closed())),
  };
}
