/** What `mambatune runs` prints for people. The same facts are in the JSON. */
import {RunningAverage} from '../report/running-average.js'
import {type RunComparison} from '../report/runs/compare-runs.js'
import {type RunListing} from '../report/runs/list-runs.js'
import {type RunStatus} from '../report/runs/run-status.js'
import {type RunRecord} from '../report/runs/show-run.js'
import {drawCurve, type Point} from './curve.js'
import {truncate, withoutControls} from './display-width.js'
import {formatBytes, formatCount, formatDuration} from './format.js'
import {formatTable} from './table.js'
import {type Signs, type Style} from './terminal.js'

export interface TextOptions {
  readonly columns: number
  readonly signs: Signs
  readonly style: Style
}

const NONE = '–'
const CURVE_ROWS = 8
const WIDEST_CURVE = 80
const WIDEST_VALUE = 40
const DAY = 86_400_000

export function runListText(runs: readonly RunListing[], now: Date, style: Style): string {
  const table = formatTable(
    runs.map((run) => [
      withoutControls(run.name),
      withoutControls(run.model ?? NONE),
      run.methods.join(' + ') || NONE,
      run.status,
      stepsText(run.steps, run.planned_steps),
      lossText(run.last_loss),
      run.best_validation ? `${lossText(run.best_validation.loss)} @ ${run.best_validation.step}` : NONE,
      whenText(new Date(run.changed), now),
      formatBytes(run.bytes),
    ]),
    {
      align: ['left', 'left', 'left', 'left', 'right', 'right', 'right', 'left', 'right'],
      header: ['NAME', 'MODEL', 'METHOD', 'STATUS', 'STEPS', 'LOSS', 'BEST VALIDATION', 'WHEN', 'SIZE'],
    },
  )
  const problems = runs.flatMap(({name, problem}) => (problem === null ? [] : `${name}: ${problem}`))
  return [table.replaceAll(/ (finished|running|interrupted|failed) /g, (word) => paint(word, style)), ...problems].join(
    '\n',
  )
}

export function runText(run: RunRecord, {columns, signs, style}: TextOptions): string {
  const {best_validation: best, evaluations, hashes, recipe, steps} = run
  const facts: string[][] = [
    ['run', run.path],
    [
      'status',
      `${paint(run.status, style)}, ${stepsText(steps.at(-1)?.step ?? 0, run.planned_steps)} steps in ${formatDuration(run.elapsed_s)}`,
    ],
    ...(recipe ? recipeRows(recipe) : [['recipe', 'recipe.resolved.yaml is missing']]),
    ...(run.trainable_parameters === null ? [] : [['trainable', trainableText(run)]]),
    ...(run.device === null ? [] : [['device', run.device]]),
    ...(steps.length === 0 ? [] : [['loss', `${lossText(steps[0].loss)} → ${lossText(steps.at(-1)?.loss ?? null)}`]]),
    ...(best
      ? [
          [
            'validation',
            `${lossText(evaluations[0].loss)} → ${lossText(evaluations.at(-1)?.loss ?? null)}, best ${lossText(best.loss)} at step ${formatCount(best.step)}`,
          ],
        ]
      : []),
    ...(run.skipped > 0 ? [['skipped', `${run.skipped} steps that were not finite`]] : []),
    ...(['base', 'data', 'adapter'] as const).flatMap((name) => {
      const hash = hashes[name]
      return hash === null ? [] : [[`${name} hash`, hash]]
    }),
    ['checkpoints', run.checkpoints.map(({step}) => formatCount(step)).join(', ') || 'none'],
  ]
  const curve = drawCurve(averaged(steps), {columns: Math.min(columns, WIDEST_CURVE), rows: CURVE_ROWS, signs})
  return [
    formatTable(facts.map(([name, value]) => [name, withoutControls(value)])),
    ...(curve.length > 0 ? ['', 'Training loss, averaged, by step', ...curve] : []),
    '',
    ...nextCommands(run).map((command) => `${style.dim('next:')} ${command}`),
  ].join('\n')
}

/** What to type now. */
export function nextCommands({adapter, path, recipe, status}: RunRecord): string[] {
  const base = recipe?.model.base ?? 'MODEL'
  switch (status) {
    case 'running':
      return [`mambatune runs watch ${path}`]
    case 'interrupted':
      return [`mambatune resume ${path}`, `mambatune report ${path}`]
    case 'failed':
      return [`mambatune resume ${path}`, `mambatune train ${path}/recipe.resolved.yaml --out NEW_DIRECTORY`]
    case 'finished':
      return [
        `mambatune report ${path}`,
        `mambatune generate ${base} --adapter ${adapter ?? ''} --prompt '…'`,
        `mambatune merge ${adapter ?? ''} --base ${base} --out NEW_DIRECTORY`,
      ]
  }
}

export function comparisonText({metrics, recipe, runs}: RunComparison, style: Style): string {
  const header = ['', ...runs.map(withoutControls)]
  const rows = metrics
    .filter(({name, values}) => !HASHES.has(name) || new Set(values).size > 1)
    .map(({name, values}) => [name.replaceAll('_', ' '), ...values.map((value) => metricText(name, value))])
  const differences = recipe.map(({key, values}) => [key, ...values.map(valueText)])
  return [
    style.bold('Results'),
    formatTable(rows, {align: ['left', ...runs.map(() => 'right' as const)], header}),
    '',
    style.bold('Recipe, where it differs'),
    differences.length > 0 ? formatTable(differences, {header}) : 'nowhere',
  ].join('\n')
}

const HASHES: ReadonlySet<string> = new Set(['base', 'data'])

function metricText(name: string, value: number | string | null): string {
  if (value === null) return NONE
  if (typeof value === 'string') return truncate(value, 20)
  if (name.endsWith('_s')) return formatDuration(value)
  if (name.endsWith('_bytes')) return formatBytes(value)
  return Number.isInteger(value) || value >= 100 ? formatCount(Math.round(value)) : lossText(value)
}

function valueText(value: unknown): string {
  return truncate(
    withoutControls(typeof value === 'string' ? value : value === null ? NONE : JSON.stringify(value)),
    WIDEST_VALUE,
  )
}

function averaged(steps: RunRecord['steps']): Point[] {
  const average = new RunningAverage()
  return steps.map(({loss, step}) => [step, average.add(loss)])
}

function recipeRows({adapters, data, model, train}: NonNullable<RunRecord['recipe']>): string[][] {
  const methods = adapters.map(({method, ...settings}) =>
    `${method} ${'targets' in settings ? `on ${settings.targets.join(', ')}` : ''}`.trim(),
  )
  const {batch_size: rows, gradient_accumulation: batches, optimizer, schedule} = train
  return [
    ['model', model.base],
    ['method', methods.join(' + ')],
    ['data', [data.train].flat().join(', ')],
    [
      'recipe',
      `batch ${rows}${batches > 1 ? ` × ${batches}` : ''} · ${optimizer.name} ${optimizer.learning_rate} ${schedule.name}`,
    ],
  ]
}

function trainableText({frozen_parameters: frozen, trainable_parameters: trainable}: RunRecord): string {
  const count = formatCount(trainable ?? 0)
  return frozen === null
    ? count
    : `${count}, ${((100 * (trainable ?? 0)) / ((trainable ?? 0) + frozen)).toPrecision(3)} % of all`
}

function stepsText(done: number, planned: number | null): string {
  return planned === null ? formatCount(done) : `${formatCount(done)}/${formatCount(planned)}`
}

function lossText(loss: number | null): string {
  return loss === null ? NONE : loss.toFixed(4)
}

/** `today 14:05`, or the date. */
function whenText(at: Date, now: Date): string {
  const [hours, minutes] = [at.getHours(), at.getMinutes()].map((value) => String(value).padStart(2, '0'))
  const [month, day] = [at.getMonth() + 1, at.getDate()].map((value) => String(value).padStart(2, '0'))
  const isToday = at.toDateString() === now.toDateString() && now.getTime() - at.getTime() < DAY
  return isToday ? `today ${hours}:${minutes}` : `${at.getFullYear()}-${month}-${day} ${hours}:${minutes}`
}

function paint(status: string, style: Style): string {
  const colours: Record<RunStatus, (text: string) => string> = {
    failed: style.red,
    finished: style.green,
    interrupted: style.yellow,
    running: style.bold,
  }
  return colours[status.trim() as RunStatus](status)
}
