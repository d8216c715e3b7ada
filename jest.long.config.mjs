import base from './jest.config.mjs';

/** Tests that take minutes, for example chaos and the installed package. */
export default {
  ...base,
  testMatch: ['<rootDir>/test/**/*.long.test.ts'],
  testPathIgnorePatterns: ['/node_modules/', '/dist/'],
  maxWorkers: 1,
  testTimeout: 900_000,
};
