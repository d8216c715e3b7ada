import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { resolve } from 'node:path';
import bundledChromium from '@sparticuz/chromium';
import { build } from 'esbuild';
import { chromium, type Browser } from 'playwright-core';
import { withLock } from '../../servers/file-lock.js';

/**
 * Flags of Chromium. The package's own flags are not used, because they run the browser as a single
 * process, which exits when its first tab is closed.
 */
const ARGS = ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'];

/** Starts Chromium from an npm package, so that the tests need no download except from npm. */
export async function startBrowser(): Promise<Browser> {
  const executablePath = await withLock(resolve('.colloquy/chromium.lock'), () => bundledChromium.executablePath());
  return chromium.launch({ executablePath, args: ARGS, headless: true });
}

/** Bundles a page of `pages/` with esbuild, as an application would be, and serves it over HTTP. */
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
