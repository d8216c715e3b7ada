import { fieldsOf, type Field } from './fields.js';
import { REFUSALS, refusalsOf } from '../http/refusals.js';
import type { RouteDescription } from '../http/route.js';

/** Every endpoint and every field, as a page for people: what is taken, and what is refused with which error. Markdown. */
export function tableOfFields(routes: readonly RouteDescription[]): string {
  const tags = [...new Set(routes.map(({ tag }) => tag))];
  return [
    '# Every endpoint and every field',
    '',
    '<!-- Made by `npm run generate` from the schemas that validate requests; do not edit. -->',
    '',
    'A field that is not listed is refused with 422, which names it. Null is absent. A value that is not served is refused with 422 and the reason given here. The action of an endpoint is what its caller needs a permission for.',
    '',
    '| status | |',
    '|---|---|',
    ...Object.entries(REFUSALS).map(([status, reason]) => `| ${status} | ${reason} |`),
    ...tags.flatMap((tag) => ['', `## ${tag}`, ...routes.filter((one) => one.tag === tag).flatMap(section)]),
    '',
  ].join('\n');
}

function section(route: RouteDescription): string[] {
  const fields = fieldsOf(route);
  const statuses = [...Object.keys(route.answers), ...refusalsOf(route)].join(', ');
  return [
    '',
    `### ${route.method.toUpperCase()} ${route.path.replace(/:(\w+)/g, '{$1}')}`,
    '',
    `${route.summary}. Action \`${route.action}\`. Answers ${statuses}.`,
    ...(fields.length === 0 ? [] : ['', '| field | in | takes | |', '|---|---|---|---|', ...fields.map(row)]),
  ];
}

function row({ name, place, takes, note }: Field): string {
  return `| ${[`\`${name}\``, place, takes, note].map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}
