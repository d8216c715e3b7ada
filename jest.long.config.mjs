import base from './jest.config.mjs';

/** Tests that take minutes: chaos, a packed package installed elsewhere. */
export default {
  ...base,
  testMatch: ['<rootDir>/test/**/*.long.test.ts'],
  testPathIgnorePatterns: ['/node_modules/', '/dist/'],
  maxWorkers: 1,
  testTimeout: 900_000,
};
