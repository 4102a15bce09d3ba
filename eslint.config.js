import js from '@eslint/js'
import checkFile from 'eslint-plugin-check-file'
import tseslint from 'typescript-eslint'

export default tseslint.config(
  {ignores: ['dist', 'build', 'coverage', 'src/ops/kernels', 'runs', 'node_modules', '.carry']},
  js.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.recommendedTypeChecked],
    languageOptions: {parserOptions: {projectService: true}},
    rules: {
      '@typescript-eslint/consistent-type-imports': ['error', {fixStyle: 'inline-type-imports'}],
      '@typescript-eslint/explicit-module-boundary-types': 'error',
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-non-null-assertion': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      'max-lines': ['error', {max: 300}],
    },
  },
  {
    files: ['**/*.{ts,js,mjs,cjs}'],
    plugins: {'check-file': checkFile},
    rules: {
      'check-file/filename-naming-convention': ['error', {'**/*.{ts,js,mjs,cjs}': 'KEBAB_CASE'}, {ignoreMiddleExtensions: true}],
      curly: ['error', 'multi-line'],
      eqeqeq: 'error',
    },
  },
  {
    files: ['**/*.{js,mjs,cjs}'],
    languageOptions: {globals: {console: 'readonly', performance: 'readonly', process: 'readonly', require: 'readonly', URL: 'readonly', module: 'readonly', __filename: 'readonly'}},
  },
  {
    files: ['src/{ops,backend,checkpoint,data,model,peft,train,recipe,report}/**/*.ts', 'src/*.ts'],
    rules: {'no-console': 'error', 'no-restricted-globals': ['error', 'process']},
  },
)
