/**
 * Documented commands that no test of this folder runs, and why. Those of the program are still held to its arguments and flags, and
 * scripts that they name have to be there. A line is meant by what it begins with.
 */
export const NOT_RUN: readonly (readonly [command: string, reason: string])[] = [
  ['npm ci && npm run quickstart', '.ci/run begins with the one; the other takes a minute, and runs what is run here'],
  ['npm test', 'runs this test'],
  ['npm run bench', 'a measurement of half a minute'],
  [
    'mambatune bench --preset mamba-',
    'shapes of published models want a large GPU; test/commands/bench.test.ts runs a tiny one',
  ],
  [
    'mambatune doctor --deep',
    'minutes on a GPU; test/ops/self-test.test.ts and test/commands/doctor.test.ts run its parts',
  ],
  ['mambatune plan mine.yaml --measure', 'wants a GPU; test/commands/plan.test.ts runs it where one answers'],
  ['mambatune init', 'asks at a terminal, as test/commands/init.test.ts does; README.md has it with flags'],
  ['node bench/', 'measurements of minutes'],
  ['node scripts/draw-ssd-forms.mjs', 'draws over a picture of docs'],
  ['node scripts/compare-methods.mjs', 'a quarter of an hour on a GPU, and writes over results of docs'],
  ['node scripts/write-method-table.mjs', 'writes over a page; method-comparison.test.ts holds that to it'],
  ['node scripts/pack-for-gpu.mjs', 'fetches Node and a distribution package'],
  ['bash .carry/run-on-gpu.sh', 'for machines with a GPU and without network'],
  ['node scripts/write-preset-recipes.mjs', 'writes over recipes; test/recipe/presets.test.ts holds them to it'],
]
