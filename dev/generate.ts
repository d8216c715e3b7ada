/** Makes the files that are derived from code: `npm run generate`. With `--check` says which of them are out of date. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { tableOfFields } from '../api/openapi/index.js';
import { ROUTES } from '../api/routes.js';

const FILES: Record<string, () => string> = {
  'docs/gen/api-fields.md': () => tableOfFields(ROUTES),
};

const isCheck = process.argv.includes('--check');
for (const [file, make] of Object.entries(FILES)) {
  const path = resolve(import.meta.dirname, '../..', file);
  const made = make();
  if (!isCheck) {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, made);
  } else if ((await readFile(path, 'utf8').catch(() => '')) !== made) {
    console.error(`${file} is out of date; run npm run generate`);
    process.exitCode = 1;
  }
}
