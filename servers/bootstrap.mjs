/**
 * Installs missing npm packages and, with `--build`, builds `dist/`. Most npm scripts run this
 * program first. It is plain JavaScript without dependencies, because nothing is installed yet when
 * it starts.
 *
 *   node servers/bootstrap.mjs [--build] [--quiet]
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const DIST = join(ROOT, 'dist');
const INSTALL_STAMP = join(ROOT, 'node_modules', '.colloquy-installed');
const BUILD_STAMP = join(DIST, '.build-stamp.json');
const BUNDLE = join(DIST, 'workflow-bundle.js');
/** Folders without sources. Reading them would make each build slow. */
const SKIPPED = new Set(['node_modules', 'dist', '.git', '.colloquy', 'coverage', 'docs']);
/**
 * Files that the compiled code reads. They are copied to `dist/`, because the TypeScript compiler
 * does not copy them.
 */
const ASSETS = [/^agents\/.*\.(json|md|txt|csv|proto)$/, /^servers\/.*\.py$/];

/**
 * Files of npm packages that are copied to `dist/`. So an installed Colloquy needs only these files
 * of RapiDoc, and not the whole package.
 */
const BUNDLED = {
  'node_modules/rapidoc/dist/rapidoc-min.js': 'api/openapi/rapidoc-min.js',
  'node_modules/rapidoc/dist/rapidoc-min.js.LICENSE.txt': 'api/openapi/rapidoc-min.js.LICENSE.txt',
  'node_modules/rapidoc/LICENSE.txt': 'api/openapi/rapidoc.LICENSE.txt',
};

/** Installs npm packages if `package-lock.json` has changed since the last installation. */
export async function ensureInstalled({ quiet = false } = {}) {
  const wanted = hash(readFileSync(join(ROOT, 'package-lock.json')));
  if (readIfExists(INSTALL_STAMP) === wanted) return;
  if (matchesHiddenLock()) {
    writeFileSync(INSTALL_STAMP, wanted);
    return;
  }
  if (!quiet) console.log('Installing packages (npm ci); this happens once ...');
  await withProgress(quiet, () => run('npm', ['ci', '--no-audit', '--no-fund', ...(quiet ? ['--silent'] : [])]));
  writeFileSync(INSTALL_STAMP, wanted);
}

/**
 * Compiles the sources to `dist/`, copies the assets to `dist/`, and bundles the workflows. Does
 * only what the changes since the last build require.
 */
export async function ensureBuilt({ quiet = false } = {}) {
  mkdirSync(DIST, { recursive: true });
  const release = await lock(join(DIST, '.build-lock'));
  try {
    const before = JSON.parse(readIfExists(BUILD_STAMP) ?? '{"sources":{}}');
    const files = listFiles(ROOT);
    const sources = fingerprint(files.filter((file) => isSource(file)));
    const assets = fingerprint(files.filter((file) => ASSETS.some((pattern) => pattern.test(file))));
    const compiled = JSON.stringify(before.sources) === JSON.stringify(sources);
    const copied = compiled && JSON.stringify(before.assets) === JSON.stringify(assets);
    if (!compiled) {
      if (!quiet) console.log('Compiling ...');
      await compile();
      removeStale(Object.keys(before.sources), sources);
    }
    if (!copied) {
      for (const file of Object.keys(assets)) copyFile(file, file);
      for (const [from, to] of Object.entries(BUNDLED)) copyFile(from, to);
      writeStamp({ sources, assets, bundle: before.bundle });
    }
    const bundle = await ensureBundled(before.bundle, files, quiet);
    if (bundle !== before.bundle) writeStamp({ sources, assets, bundle });
  } finally {
    release();
  }
}

/**
 * Calls `work` and returns its result. Unless `quiet`, prints every 10 s that `work` still runs.
 * Does not print this on a terminal, where npm shows its own progress.
 */
async function withProgress(quiet, work) {
  const startedAt = Date.now();
  const report = () => console.log(`  still running after ${Math.round((Date.now() - startedAt) / 1000)} s`);
  const timer = quiet || process.stderr.isTTY ? undefined : setInterval(report, 10_000);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}

function writeStamp(stamp) {
  writeFileSync(BUILD_STAMP, JSON.stringify(stamp));
}

async function compile() {
  const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
  await run(process.execPath, [tsc, '--noCheck', '--noEmitOnError', 'false', '-p', ROOT]);
}

/**
 * Bundles the compiled workflows into one file, unless the bundle exists and neither the sources
 * nor the version of Temporal's SDK have changed. Because the bundle exists beforehand, neither
 * workers nor tests wait for webpack.
 */
async function ensureBundled(before, files, quiet) {
  const inputs = files.filter((file) => /^(workflows|protocol|memory-jobs)\//.test(file) && isSource(file));
  if (!inputs.includes('workflows/index.ts')) return undefined;
  const sdk = JSON.parse(readFileSync(join(ROOT, 'node_modules/@temporalio/workflow/package.json'), 'utf8')).version;
  const wanted = hash(sdk + inputs.map((file) => file + hash(readFileSync(join(ROOT, file)))).join('\n'));
  if (before === wanted && existsSync(BUNDLE)) return wanted;
  if (!quiet) console.log('Bundling workflows ...');
  rmSync(BUNDLE, { force: true });
  const { bundleWorkflowCode } = await import('@temporalio/worker');
  const { code } = await bundleWorkflowCode({
    workflowsPath: join(DIST, 'workflows', 'index.js'),
    logger: warningsOnly,
  });
  writeFileSync(`${BUNDLE}.new`, code);
  renameSync(`${BUNDLE}.new`, BUNDLE);
  return wanted;
}

const warningsOnly = {
  log: (level, message) => (level === 'WARN' || level === 'ERROR') && console.error(message),
  trace: () => {},
  debug: () => {},
  info: () => {},
  warn: (message) => console.error(message),
  error: (message) => console.error(message),
};

function copyFile(from, to) {
  mkdirSync(dirname(join(DIST, to)), { recursive: true });
  writeFileSync(join(DIST, to), readFileSync(join(ROOT, from)));
}

/** Removes the compiled files of deleted sources from `dist/`, so that no import finds them. */
function removeStale(before, now) {
  for (const file of before.filter((name) => !(name in now))) {
    const stem = join(DIST, file.replace(/\.ts$/, ''));
    for (const ending of ['.js', '.js.map', '.d.ts']) rmSync(stem + ending, { force: true });
  }
}

function isSource(file) {
  return (
    (file.endsWith('.ts') && !file.startsWith('test/fixtures/projects/')) ||
    file === 'tsconfig.json' ||
    file === 'package-lock.json'
  );
}

function fingerprint(files) {
  return Object.fromEntries(files.map((file) => [file, timeAndSize(join(ROOT, file))]));
}

function timeAndSize(path) {
  const { mtimeMs, size } = statSync(path);
  return `${mtimeMs}:${size}`;
}

function listFiles(folder) {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => !SKIPPED.has(entry.name))
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return listFiles(path);
      return entry.isFile() ? [relative(ROOT, path)] : [];
    })
    .sort();
}

/**
 * Returns whether all packages of `package-lock.json`, except optional ones, are installed in the
 * versions that it names. This is so after somebody has run `npm ci`. npm records the installed
 * packages in `.package-lock.json`.
 */
function matchesHiddenLock() {
  const hidden = readIfExists(join(ROOT, 'node_modules', '.package-lock.json'));
  if (hidden === undefined) return false;
  const installed = JSON.parse(hidden).packages;
  const wanted = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')).packages;
  return Object.entries(wanted).every(
    ([path, entry]) => path === '' || entry.optional || installed[path]?.version === entry.version,
  );
}

/**
 * Waits until no other process builds, and takes the lock file. Takes it over from a process that
 * no longer exists. Returns a function that releases it.
 */
async function lock(path) {
  for (;;) {
    try {
      writeFileSync(path, String(process.pid), { flag: 'wx' });
      const release = () => rmSync(path, { force: true });
      process.once('exit', release);
      return release;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
      const owner = Number(readIfExists(path));
      if (owner > 0 && !isAlive(owner)) rmSync(path, { force: true });
      else await sleep(100);
    }
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

function run(command, args) {
  return new Promise((done, failed) => {
    const child = spawn(command, args, { cwd: ROOT, stdio: ['ignore', 'inherit', 'inherit'] });
    child.on('error', failed);
    child.on('exit', (code, signal) => {
      if (code === 0) done();
      else failed(new Error(`${[command, ...args].join(' ')} ended with ${signal ?? code}`));
    });
  });
}

function readIfExists(path) {
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
}

function hash(content) {
  return createHash('sha256').update(content).digest('hex');
}

async function main(args) {
  const unknown = args.filter((arg) => arg !== '--build' && arg !== '--quiet');
  if (unknown.length > 0) throw new Error(`unknown flag ${unknown.join(' ')}; known are --build and --quiet`);
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 19))
    throw new Error(`Node ${process.versions.node} is too old; 20.19 or newer is needed`);
  const quiet = args.includes('--quiet');
  await ensureInstalled({ quiet });
  if (args.includes('--build')) await ensureBuilt({ quiet });
}

if (process.argv[1] && import.meta.url === pathToFileURL(resolve(process.argv[1])).href) {
  main(process.argv.slice(2)).catch((error) => {
    console.error(`colloquy: ${error.message}`);
    process.exitCode = 1;
  });
}
