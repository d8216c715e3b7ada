import tseslint from 'typescript-eslint';

const noEnvironment = {
  selector: "MemberExpression[object.name='process'][property.name='env']",
  message: 'The environment is read in config/ alone.',
};
const noDefaultDoor = [
  { selector: 'ExportAllDeclaration:not([exported])', message: 'Name what a room exports.' },
  { selector: 'TSEnumDeclaration', message: 'Use a union and `as const`.' },
];
const noComposite = {
  selector: "MemberExpression[object.name='AbortSignal'][property.name='any']",
  message: 'Node.js 20 keeps them; use `firstOf` of protocol/signals.',
};
const noOwnRouter = {
  name: 'express',
  importNames: ['default', 'Router'],
  allowTypeImports: true,
  message: 'Make apps and routers with api/http/router.ts, which takes one spelling of a path.',
};
const noDefaultExport = { selector: 'ExportDefaultDeclaration', message: 'Name what a file exports.' };

export default tseslint.config(
  { ignores: ['node_modules/', 'dist/', '.colloquy/', 'coverage/', 'test/fixtures/projects/', '**/gen/'] },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.recommendedTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      // Some implementations of an asynchronous method have nothing to wait for.
      '@typescript-eslint/require-await': 'off',
      // Request handlers and event listeners may be asynchronous functions. Express passes an error
      // of a request handler to its error handler. The process logs an error of an event listener
      // as an unhandled rejection.
      '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: false }],
      'max-lines': ['error', { max: 350, skipBlankLines: true, skipComments: true }],
      'no-restricted-syntax': ['error', noEnvironment, noComposite, noDefaultExport, ...noDefaultDoor],
      eqeqeq: ['error', 'always'],
    },
  },
  {
    // Only `api/http/router.ts` creates express apps and routers. Its settings accept only one
    // spelling of each path. By default, express also accepts other letter cases and a slash at the
    // end.
    files: ['api/**/*.ts'],
    ignores: ['api/http/router.ts'],
    rules: { '@typescript-eslint/no-restricted-imports': ['error', { paths: [noOwnRouter] }] },
  },
  { files: ['config/**/*.ts'], rules: { 'no-restricted-syntax': ['error', noDefaultExport, ...noDefaultDoor] } },
  {
    // This file sets the environment variables that a `langgraph.json` names, because graphs read
    // `process.env`.
    files: ['agents/project-environment.ts'],
    rules: { 'no-restricted-syntax': ['error', noDefaultExport, ...noDefaultDoor] },
  },
  {
    files: ['test/**/*.ts', 'bench/**/*.ts', 'evals/**/*.ts'],
    rules: {
      // Tests and benchmarks read addresses from the environment, and use untyped values of HTTP
      // answers.
      'no-restricted-syntax': ['error', ...noDefaultDoor],
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
    },
  },
);
