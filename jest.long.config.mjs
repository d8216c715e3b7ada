import base from './jest.config.mjs';

/**
 * Configuration of the tests that take minutes, such as the chaos tests and the tests of the
 * installed package.
 */
export default {
  ...base,
  testMatch: ['<rootDir>/test/**/*.long.test.ts'],
  testPathIgnorePatterns: ['/node_modules/', '/dist/'],
  maxWorkers: 1,
  testTimeout: 900_000,
};
