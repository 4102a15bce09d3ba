export default {
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: {'^(\\.{1,2}/.*)\\.js$': ['$1.ts', '$1.js']},
  modulePathIgnorePatterns: ['<rootDir>/test/llama-cpp/node_modules', '<rootDir>/test/fuzz-coverage/node_modules'],
  roots: ['<rootDir>/test'],
  testEnvironment: 'node',
  testMatch: ['**/*.test.ts'],
  testTimeout: 120_000,
  transform: {'^.+\\.ts$': ['@swc/jest', {jsc: {parser: {syntax: 'typescript'}, target: 'es2022'}}]},
}
