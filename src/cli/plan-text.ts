/** What `mambatune plan` prints for people. The same facts, and more, are in its JSON. */
import {memoryText} from '../backend/gpu/memory-text.js'
import {type MeasuredStep} from '../report/measure-step.js'
import {type PlannedSteps, type RunPlan} from '../report/plan.js'
import {MEMORY_PARTS, type MemoryEstimate} from '../train/memory-parts.js'
import {formatCount, formatCounted} from './format.js'
import {formatTable} from './table.js'

export function planText(plan: RunPlan): string {
  const {available, checkpointing, fits, measured, memory} = plan
  const facts = formatTable([
    ['model', plan.model],
    ['device', plan.device_description],
    ['trained', trainedText(plan)],
    ...(plan.warmup ? [['warm-up', warmupText(plan.warmup)]] : []),
    ['steps', stepsText(plan.steps)],
    ['batch', batchText(plan.steps)],
    ['checkpointing', checkpointingText(checkpointing)],
    ['available', `${available.bytes === null ? '' : `${memoryText(available.bytes)}, `}${available.source}`],
    ['fits', fits ? 'yes' : 'no'],
  ])
  const table = measured ? measuredTable(memory, measured) : estimateTable(memory)
  return [facts, table, ...(fits ? [] : [fittingText(plan)])].join('\n\n')
}

function trainedText({
  base_parameters: base,
  trainable_parameters: trained,
  trainable_percent: percent,
}: RunPlan): string {
  return `${formatCount(trained)} of ${formatCount(base + trained)} numbers, ${percent.toPrecision(3)} %`
}

function warmupText({steps, trainable_parameters: trained}: NonNullable<RunPlan['warmup']>): string {
  return `the first ${formatCount(steps)} steps train ${formatCount(trained)} numbers, and choose those that are trained from then on`
}

function stepsText({problem, rows, steps, steps_per_epoch: perEpoch}: PlannedSteps): string {
  if (rows === null || steps === null || perEpoch === null) return `not known: ${problem ?? 'there is no data'}`
  return `${formatCount(steps)}, an epoch of ${formatCounted(rows, 'row')} is ${formatCount(perEpoch)}`
}

function batchText(steps: PlannedSteps): string {
  const {batch_size: rows, gradient_accumulation: batches, length, mean_tokens_per_step: mean} = steps
  const size = `${formatCounted(rows, 'row')}${batches > 1 ? ` × ${batches}` : ''}, up to ${formatCount(length)} tokens each`
  const known = mean === null ? '' : `, ${formatCount(mean)} without padding on average`
  return `${size}: ${formatCount(steps.tokens_per_step)} tokens a step${known}`
}

function checkpointingText({block, chosen, none, setting}: RunPlan['checkpointing']): string {
  const choice = setting === 'auto' ? `auto takes ${chosen}` : setting
  return `${choice}; none takes ${memoryText(none)}, block ${memoryText(block)}`
}

function estimateTable(memory: MemoryEstimate): string {
  const rows = MEMORY_PARTS.map((part) => [part, memoryText(memory[part])])
  return formatTable([...rows, ['total', memoryText(memory.total), `at ${memory.moment}`]], {
    align: ['left', 'right'],
    header: ['MEMORY', 'ESTIMATE'],
  })
}

/** Activations, logits and scratch cannot be told apart while a step runs, so they are one row. */
function measuredTable(memory: MemoryEstimate, measured: MeasuredStep): string {
  const step = memory.activations + memory.logits + memory.scratch
  const row = (name: string, estimate: number, found: number): string[] => [
    name,
    memoryText(estimate),
    memoryText(found),
    differenceText(estimate, found),
  ]
  const table = formatTable(
    [
      row('weights', memory.weights, measured.weights),
      row('adapters', memory.adapters, measured.adapters),
      row('optimizer', memory.optimizer, measured.optimizer),
      row('step', step, measured.step),
      row('total', memory.total, measured.total),
    ],
    {align: ['left', 'right', 'right', 'right'], header: ['MEMORY', 'ESTIMATE', 'MEASURED', 'DIFFERENCE']},
  )
  const parts = (['activations', 'logits', 'scratch'] as const).map((part) => `${part} ${memoryText(memory[part])}`)
  return `${table}\n\nThe step's estimate is at ${memory.moment}: ${parts.join(', ')}. With buffers that wait for reuse, ${memoryText(measured.with_reuse)} were taken.`
}

function differenceText(estimate: number, measured: number): string {
  const percent = 100 * (estimate / measured - 1)
  return `${percent < 0 ? '−' : '+'}${Math.abs(percent).toFixed(1)} %`
}

function fittingText({fitting}: RunPlan): string {
  if (fitting.length === 0) return 'No smaller batch is predicted to fit.'
  const rows = fitting.map(({settings, total}) => [
    memoryText(total),
    settings.map((setting) => `--set ${setting}`).join(' '),
  ])
  return `Predicted to fit:\n${formatTable(rows, {align: ['right', 'left'], indent: 2})}`
}
