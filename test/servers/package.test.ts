import { describe, it, expect, beforeAll } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const START_PROGRAM = 'dist/servers/secantus/start.py';

describe('the package that npm packs', () => {
  let files: string[];

  beforeAll(() => {
    // npm's lifecycle scripts are skipped, because their output would mix with the JSON. The test
    // run has already built `dist`.
    const output = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { encoding: 'utf8' });
    const [packed] = JSON.parse(output) as { files: { path: string }[] }[];
    files = (packed?.files ?? []).map((file) => file.path);
  });

  it('contains the colloquy command, but neither tests nor TypeScript sources', () => {
    expect(files).toEqual(expect.arrayContaining(['bin/colloquy.mjs', 'dist/cli/main.js', 'dist/servers/index.js']));
    expect(files.filter((path) => /^dist\/(test|bench|evals)\/|(?<!\.d)\.ts$/.test(path))).toEqual([]);
  });

  it('contains the Python program that starts the database SecantusDB, with the text of its MIT licence', () => {
    expect(files).toContain(START_PROGRAM);
    const text = readFileSync(START_PROGRAM, 'utf8');
    expect(text).toMatch(/^# SPDX-License-Identifier: MIT\n/);
    expect(text).toContain('# Permission is hereby granted, free of charge');
    expect(text).toBe(readFileSync('servers/secantus/start.py', 'utf8'));
  });

  it('contains a licence text for each file that is not under Apache-2.0', () => {
    expect(files).toContain('LICENSE');
    expect(files.filter((path) => path.endsWith('.py'))).toEqual([START_PROGRAM]);
    expect(files).toEqual(expect.arrayContaining(['dist/api/openapi/rapidoc.LICENSE.txt']));
  });
});
