import { describe, it, expect } from '@jest/globals';
import { readFileSync, readdirSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import ts from 'typescript';

/**
 * Two of the rooms (folders with one purpose) in {@link ROOMS}. `protocol` contains shared types,
 * and `protocol/schemas` contains the parsers of these types, which use zod. Workflows and code for
 * browsers must not use zod. So of these two rooms they import only `protocol`.
 */
const WORDS = ['protocol', 'protocol/schemas'];
const STORES = ['threads', 'memory', 'skills', 'policy', 'streams', 'egress'];

/**
 * Which room may import which. This table is the documentation of these rules. Each key is the name
 * of a room: a folder, or a part of a folder. A file belongs to the room with the longest matching
 * name. `imports`: rooms from which values and types may be imported. `types`: rooms from which
 * only types may be imported. Every room may import itself.
 */
const ROOMS: Record<string, { imports: string[]; types?: string[] }> = {
  protocol: { imports: [] },
  'protocol/schemas': { imports: ['protocol'] },
  telemetry: { imports: WORDS },
  config: { imports: WORDS },
  database: { imports: [...WORDS, 'telemetry'] },
  policy: { imports: [...WORDS, 'telemetry', 'database'] },
  threads: { imports: [...WORDS, 'telemetry', 'database'] },
  memory: { imports: [...WORDS, 'telemetry', 'database'] },
  skills: { imports: [...WORDS, 'telemetry', 'database'] },
  streams: { imports: [...WORDS, 'telemetry', 'database'] },
  egress: { imports: [...WORDS, 'telemetry', 'database'] },
  agents: { imports: [...WORDS, 'telemetry'], types: ['memory', 'skills'] },
  steps: { imports: [...WORDS, 'telemetry', 'agents'], types: ['threads', 'streams', 'memory', 'skills'] },
  executors: {
    imports: [...WORDS, 'telemetry', 'database', 'agents', 'steps'],
    types: ['workflows/contract', ...STORES],
  },
  conversations: { imports: [...WORDS, 'telemetry', 'workflows/contract'], types: ['steps', ...STORES] },
  activities: {
    imports: [
      ...[...WORDS, 'telemetry', 'database', 'workflows/contract'],
      ...['steps', 'executors', 'conversations', ...STORES],
    ],
  },
  'memory-jobs': {
    imports: [...WORDS, 'telemetry', 'agents', 'memory', 'streams', 'memory-jobs/contract'],
    types: ['memory-jobs/workflows'],
  },
  'memory-jobs/workflows': { imports: ['protocol', 'memory-jobs/contract'], types: ['memory-jobs'] },
  'memory-jobs/contract': { imports: ['protocol'] },
  'workflows/contract': { imports: ['protocol'] },
  workflows: { imports: ['protocol', 'workflows/contract'], types: ['activities'] },
  api: {
    imports: [...WORDS, 'telemetry', 'workflows/contract', 'memory-jobs/contract', 'conversations'],
    types: ['threads', 'steps', 'memory', 'skills', 'policy', 'streams'],
  },
  client: { imports: ['protocol'] },
  playground: { imports: ['client', 'protocol'] },
  servers: { imports: ['protocol', 'workflows/contract'] },
};

/**
 * Composition roots create and connect the parts of all rooms, so they may import everything except
 * the proofs. Exception: `workers` must not import the API. The proofs are tests, evaluations and
 * benchmarks: they may import everything, and no other room may import them.
 */
const ROOTS = ['api/main', 'workers', 'cli'];
const PROOFS = ['test', 'evals', 'bench'];

/** Libraries that only the listed rooms may import. Imports of types are allowed everywhere. */
const LIBRARIES: Record<string, string[]> = {
  mongodb: ['servers', 'database', 'threads', 'streams', 'memory', 'egress', ...ROOTS, ...PROOFS],
  zod: ['protocol/schemas', 'config', 'agents', 'api', ...PROOFS],
  '@temporalio/worker': [...ROOTS, 'telemetry', ...PROOFS],
  '@temporalio/workflow': ['workflows', 'memory-jobs/workflows', ...PROOFS],
  express: ['api', ...PROOFS],
};

const HOUSE = resolve(import.meta.dirname, '..');
const NAMES = [...Object.keys(ROOMS), ...ROOTS, ...PROOFS].sort((a, b) => b.length - a.length);

interface Import {
  /**
   * `from` is the room of the importing file, such as `threads`. `to` is the imported room, such as
   * `./database`, or the imported library, such as `mongodb`.
   */
  from: string;
  to: string;
  /**
   * `importer` is the importing file, such as `./threads/index.ts`. `file` is the imported file in
   * the same form, or the imported library. Paths are relative to the top of the project.
   */
  importer: string;
  file: string;
  typeOnly: boolean;
  line: string;
}

describe('the floor plan (which room may import which)', () => {
  const files = sources(HOUSE);
  const imports = files.flatMap(importsOf);

  it('assigns every source file to a room', () => {
    expect(files.filter((file) => roomOf(file) === undefined)).toEqual([]);
    expect(files.length).toBeGreaterThan(10);
  });

  it('lets a room import only the rooms that its row in ROOMS allows', () => {
    expect(imports.filter((found) => found.to.startsWith('.') && !isAllowed(found)).map((found) => found.line)).toEqual(
      [],
    );
  });

  it('lets only the rooms listed in LIBRARIES import the values of a restricted library', () => {
    const strays = imports.filter(({ from, to, typeOnly }) => {
      const rooms = LIBRARIES[Object.keys(LIBRARIES).find((name) => to === name || to.startsWith(`${name}/`)) ?? ''];
      return rooms !== undefined && !typeOnly && !rooms.includes(from);
    });
    expect(strays.map((found) => found.line)).toEqual([]);
  });

  it('has no cycle of imports between files, even if imports of types are counted', () => {
    const production = imports.filter(({ from, file }) => !PROOFS.includes(from) && file.startsWith('.'));
    expect(circleIn(production.map(({ importer, file }) => [importer, file]))).toEqual([]);
  });

  it('has no cycle of imports between rooms', () => {
    const between = imports.filter(
      ({ from, to }) => !PROOFS.includes(from) && to.startsWith('./') && to !== `./${from}`,
    );
    expect(circleIn(between.map(({ from, to }) => [`./${from}`, to]))).toEqual([]);
  });

  it('lets neither workers nor activities import the API', () => {
    const rooms = ['workers', 'activities'];
    const strays = imports.filter(({ from, to }) => rooms.includes(from) && /^\.\/api\b/.test(to));
    expect(strays.map((found) => found.line)).toEqual([]);
  });
});

/**
 * Returns the names in a cycle of imports, with the first name also at the end. Returns an empty
 * list if there is no cycle.
 */
function circleIn(edges: readonly (readonly [from: string, to: string])[]): string[] {
  const targets = new Map<string, string[]>();
  for (const [from, to] of edges) targets.set(from, [...(targets.get(from) ?? []), to]);
  const finished = new Set<string>();
  const path: string[] = [];
  const search = (name: string): string[] => {
    if (path.includes(name)) return [...path.slice(path.indexOf(name)), name];
    if (finished.has(name)) return [];
    path.push(name);
    for (const target of targets.get(name) ?? []) {
      const circle = search(target);
      if (circle.length > 0) return circle;
    }
    path.pop();
    finished.add(name);
    return [];
  };
  for (const name of targets.keys()) {
    const circle = search(name);
    if (circle.length > 0) return circle;
  }
  return [];
}

function isAllowed({ from, to, typeOnly }: Import): boolean {
  const target = to.slice(2);
  if (PROOFS.includes(from)) return true;
  if (PROOFS.includes(target)) return false;
  if (target === from || ROOTS.includes(from)) return true;
  const row = ROOMS[from];
  if (row === undefined) return false;
  return row.imports.includes(target) || (typeOnly && (row.types?.includes(target) ?? false));
}

function roomOf(file: string): string | undefined {
  const path = relative(HOUSE, file).replace(/\.ts$/, '');
  return NAMES.find((name) => path === name || path.startsWith(`${name}/`));
}

function importsOf(file: string): Import[] {
  const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest);
  const found: Import[] = [];
  const add = (specifier: string, typeOnly: boolean) => {
    const to = specifier.startsWith('.')
      ? `./${roomOf(resolve(file, '..', specifier.replace(/\.js$/, ''))) ?? specifier}`
      : specifier;
    const importer = `./${relative(HOUSE, file)}`;
    const target = specifier.startsWith('.')
      ? `./${relative(HOUSE, resolve(file, '..', specifier)).replace(/\.js$/, '.ts')}`
      : specifier;
    const line = `${relative(HOUSE, file)} imports ${specifier}`;
    found.push({ from: roomOf(file) ?? '', to, importer, file: target, typeOnly, line });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node) && ts.isStringLiteral(node.moduleSpecifier)) {
      add(node.moduleSpecifier.text, node.importClause?.isTypeOnly ?? false);
    } else if (ts.isExportDeclaration(node) && node.moduleSpecifier && ts.isStringLiteral(node.moduleSpecifier)) {
      add(node.moduleSpecifier.text, node.isTypeOnly);
    } else if (
      ts.isImportTypeNode(node) &&
      ts.isLiteralTypeNode(node.argument) &&
      ts.isStringLiteral(node.argument.literal)
    ) {
      add(node.argument.literal.text, true);
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      const [argument] = node.arguments;
      if (argument !== undefined && ts.isStringLiteral(argument)) add(argument.text, false);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

function sources(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => !['node_modules', 'dist', '.colloquy', '.git', 'coverage', 'projects'].includes(entry.name))
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return sources(path);
      return /\.ts$/.test(entry.name) ? [path] : [];
    });
}
