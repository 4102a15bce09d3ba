/** Inputs and outputs of the built program's runs: data and recipe files to write, metrics and JSON to read. */
import {readFile, writeFile} from 'node:fs/promises'
import {type Example} from '../../src/data/rows.js'
import {type RunResult} from '../cli/run-command.js'
import {goldenPath} from './golden.js'

/** Writes rows of token ids as JSON lines. */
export async function writeRows(file: string, examples: readonly Pick<Example, 'ids' | 'labels'>[]): Promise<string> {
  const lines = examples.map(({ids, labels}) => JSON.stringify({input_ids: [...ids], labels: [...labels]}))
  await writeFile(file, `${lines.join('\n')}\n`)
  return file
}

export interface RecipeParts {
  readonly output: string
  readonly train: string
  readonly model?: string
  readonly adapters?: readonly Record<string, unknown>[]
  readonly data?: Record<string, unknown>
  readonly training?: Record<string, unknown>
  /** Further top-level keys */
  readonly more?: Record<string, unknown>
}

/** Writes a recipe for rows of token ids on a golden model: LoRA, three steps. JSON is YAML. */
export async function writeRecipe(file: string, parts: RecipeParts): Promise<string> {
  const recipe = {
    version: 1,
    output_dir: parts.output,
    model: {base: parts.model ?? goldenPath('mamba1')},
    adapters: parts.adapters ?? [{method: 'lora', targets: ['in_proj', 'x_proj'], rank: 4, alpha: 8}],
    data: {train: parts.train, format: 'tokens', ...parts.data},
    train: {max_steps: 3, epochs: 3, batch_size: 2, ...parts.training},
    logging: {report: false}, // tests of the report ask for it
    ...parts.more,
  }
  await writeFile(file, `${JSON.stringify(recipe, null, 2)}\n`)
  return file
}

export type MetricsLine = Readonly<Record<string, unknown>>

/** The lines of metrics.jsonl that are steps, skipped ones included, and those that are evaluations. */
export async function readMetrics(run: string): Promise<{steps: MetricsLine[]; evaluations: MetricsLine[]}> {
  const text = await readFile(`${run}/metrics.jsonl`, 'utf8')
  const lines = text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as MetricsLine)
  return {
    evaluations: lines.filter(({event}) => event === 'eval'),
    steps: lines.filter(({event}) => !['eval', 'gauge', 'plan'].includes(String(event))),
  }
}

/** The one object on stdout of a run with --json. Throws with stderr when the exit code is another. */
export function jsonOf(result: RunResult, code = 0): Record<string, unknown> {
  if (result.code !== code) {
    throw new Error(`exit code ${result.code}, expected ${code}\n${result.stderr}${result.stdout}`)
  }
  return JSON.parse(result.stdout) as Record<string, unknown>
}
