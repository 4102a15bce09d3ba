import js from '@eslint/js'
import checkFile from 'eslint-plugin-check-file'
import {defineConfig, globalIgnores} from 'eslint/config'
import tseslint from 'typescript-eslint'

/** What Node adds to the language, as far as scripts use it. TypeScript knows its own. */
const nodeGlobals = {
  Buffer: 'readonly',
  console: 'readonly',
  performance: 'readonly',
  process: 'readonly',
  URL: 'readonly',
  WebAssembly: 'readonly',
}

export default defineConfig(
  // The kernels are AssemblyScript, which looks like TypeScript and is not; their compiler checks them.
  globalIgnores(['dist', 'build', 'coverage', 'program', 'runs', 'src/ops/kernels']),
  {
    extends: [js.configs.recommended],
    files: ['**/*.{ts,js,mjs,cjs}'],
    plugins: {'check-file': checkFile},
    rules: {
      'check-file/filename-naming-convention': [
        'error',
        {'**/*.{ts,js,mjs,cjs}': 'KEBAB_CASE'},
        {ignoreMiddleExtensions: true},
      ],
      // A body on a line of its own has braces; on the line of its condition it needs none.
      curly: ['error', 'multi-line'],
      eqeqeq: 'error',
      'max-lines': ['error', 300],
    },
  },
  {
    files: ['**/*.{js,mjs,cjs}'],
    languageOptions: {globals: nodeGlobals},
  },
  {
    files: ['**/*.cjs'],
    languageOptions: {globals: {__filename: 'readonly'}},
  },
  {
    extends: [tseslint.configs.recommendedTypeChecked],
    files: ['**/*.ts'],
    languageOptions: {parserOptions: {projectService: true}},
    rules: {
      '@typescript-eslint/consistent-type-imports': ['error', {fixStyle: 'inline-type-imports'}],
      '@typescript-eslint/explicit-module-boundary-types': 'error',
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-non-null-assertion': 'error',
      // An async function without await turns what it throws into a rejection, which an async interface promises.
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
    },
  },
  {
    // Printing and the process belong to cli, commands and bin; test/layering.test.ts holds the imports to the layers.
    files: ['src/**/*.{ts,mjs,cjs}'],
    // A process of its own may speak to the one that began it.
    ignores: ['src/cli/**', 'src/commands/**', 'src/**/*-process.mjs'],
    rules: {
      'no-console': 'error',
      'no-restricted-globals': ['error', 'process'],
      'no-restricted-imports': ['error', 'console', 'node:console', 'process', 'node:process'],
    },
  },
)
