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
      // A port may be asynchronous for some adapters and not for others.
      '@typescript-eslint/require-await': 'off',
      // Handlers of express and event emitters are asynchronous by habit; what they do not catch is caught by the process.
      '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: false }],
      'max-lines': ['error', { max: 350, skipBlankLines: true, skipComments: true }],
      'no-restricted-syntax': ['error', noEnvironment, noComposite, noDefaultExport, ...noDefaultDoor],
      eqeqeq: ['error', 'always'],
    },
  },
  {
    // Other apps and routers would take paths in any case, with a trailing slash.
    files: ['api/**/*.ts'],
    ignores: ['api/http/router.ts'],
    rules: { '@typescript-eslint/no-restricted-imports': ['error', { paths: [noOwnRouter] }] },
  },
  { files: ['config/**/*.ts'], rules: { 'no-restricted-syntax': ['error', noDefaultExport, ...noDefaultDoor] } },
  {
    // A langgraph.json names variables for its graphs, which read them from the process.
    files: ['agents/project-environment.ts'],
    rules: { 'no-restricted-syntax': ['error', noDefaultExport, ...noDefaultDoor] },
  },
  {
    files: ['test/**/*.ts', 'bench/**/*.ts', 'evals/**/*.ts'],
    rules: {
      // Tests and benches get addresses from the environment, and look at wire values as they come.
      'no-restricted-syntax': ['error', ...noDefaultDoor],
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
    },
  },
);
