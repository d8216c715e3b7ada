/**
 * Generates files from code: `npm run generate`. With `--check` it writes nothing and only reports
 * outdated files.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { tableOfFields } from '../api/openapi/index.js';
import { ROUTES } from '../api/routes.js';

const FILES: Record<string, () => string> = {
  'docs/gen/api-fields.md': () => tableOfFields(ROUTES),
};

const isCheck = process.argv.includes('--check');
for (const [file, generate] of Object.entries(FILES)) {
  const path = resolve(import.meta.dirname, '../..', file);
  const text = generate();
  if (!isCheck) {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text);
  } else if ((await readFile(path, 'utf8').catch(() => '')) !== text) {
    console.error(`${file} is out of date; run npm run generate`);
    process.exitCode = 1;
  }
}
