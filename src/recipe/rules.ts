/**
 * Rules that tie several keys of a recipe together. They look at the values as written, valid or not, so that they are reported
 * along with everything else; a rule stays silent where a value it needs is of the wrong type, because that is a fault of its own.
 */
import {LOSS_PARTS, ROW_FORMATS} from '../data/dataset.js'
import {hasRoles, partsOf} from '../data/supervision.js'
import {type Path, valueAt} from './paths.js'
import {trainingRules} from './training-rules.js'

export interface BrokenRule {
  readonly path: Path
  readonly message: string
}

export function brokenRules(recipe: unknown): BrokenRule[] {
  return [
    ...warmupWithinRun(recipe),
    ...lossFitsFormat(recipe),
    ...distinctAdapters(recipe),
    ...carriedAlone(recipe),
    ...trainingRules(recipe),
  ]
}

function warmupWithinRun(recipe: unknown): BrokenRule[] {
  const warmup = valueAt(recipe, ['train', 'schedule', 'warmup'])
  const steps = valueAt(recipe, ['train', 'max_steps'])
  if (typeof warmup !== 'number' || typeof steps !== 'number' || warmup < 1 || warmup <= steps) return []
  const message = `${warmup} steps of warm-up are longer than the run, whose train.max_steps is ${steps}; write at most ${steps}, or a share below 1`
  return [{message, path: ['train', 'schedule', 'warmup']}]
}

/** What does not go together with data.carry_state, and what to write instead. */
const NOT_CARRIED: readonly (readonly [path: Path, value: unknown, message: string])[] = [
  [['data', 'packing'], true, 'rows are either packed or carried in pieces; write false, or data.carry_state: false'],
  [['train', 'checkpointing'], 'block', 'layers that are computed again carry no state; write none or auto'],
  [
    ['train', 'on_nonfinite'],
    'skip',
    'a step that is not finite leaves a state that is not either, so it cannot be skipped with data.carry_state; write stop',
  ],
]

function carriedAlone(recipe: unknown): BrokenRule[] {
  if (valueAt(recipe, ['data', 'carry_state']) !== true) return []
  return NOT_CARRIED.filter(([path, value]) => valueAt(recipe, path) === value).map(([path, , message]) => ({
    message,
    path,
  }))
}

function lossFitsFormat(recipe: unknown): BrokenRule[] {
  const lossOn = valueAt(recipe, ['data', 'loss_on'])
  const format = ROW_FORMATS.find((known) => known === valueAt(recipe, ['data', 'format']))
  if (format === undefined || lossOn === 'auto') return []
  const isPart = LOSS_PARTS.some((part) => part === lossOn)
  if (Array.isArray(lossOn) ? hasRoles(format) : !isPart || partsOf[format].some((part) => part === lossOn)) return []
  const fitting = [...partsOf[format], ...(hasRoles(format) ? ['a list of roles'] : [])].join(' or ')
  const message = `${String(lossOn)} does not go with rows of format ${format}; write auto or ${fitting}`
  return [{message, path: ['data', 'loss_on']}]
}

/** Two entries alike would train the same sum twice; they differ in nothing that the model can see. */
function distinctAdapters(recipe: unknown): BrokenRule[] {
  const entries = valueAt(recipe, ['adapters'])
  if (!Array.isArray(entries)) return []
  const firstIndex = new Map<string, number>()
  return entries.flatMap((entry: unknown, index): BrokenRule[] => {
    const label = methodAndTargets(entry)
    if (label === undefined) return []
    const first = firstIndex.get(label)
    if (first === undefined) {
      firstIndex.set(label, index)
      return []
    }

    return [
      {
        message: `same method and targets as adapters.${first} (${label}); make one of the two, or give them different targets`,
        path: ['adapters', index],
      },
    ]
  })
}

function methodAndTargets(entry: unknown): string | undefined {
  const method = valueAt(entry, ['method'])
  if (typeof method !== 'string') return undefined
  const targets = valueAt(entry, ['targets'])
  return Array.isArray(targets) ? `${method} on ${[...new Set(targets.map(String))].sort().join(', ')}` : method
}
