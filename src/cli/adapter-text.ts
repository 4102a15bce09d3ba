/** What the commands of `mambatune adapter` print for people. The same facts, and more, are in their JSON. */
import {type CombineReport} from '../peft/combine-files.js'
import {type AdapterDiff} from '../report/adapter-diff.js'
import {type AdapterInfo} from '../report/adapter-info.js'
import {gridOf, type NormGrid, placeOf} from '../report/update-norms.js'
import {formatCount} from './format.js'
import {normBlocks} from './norm-blocks.js'
import {formatTable} from './table.js'
import {type Signs} from './terminal.js'

const digits = (value: number | null): string => (value === null ? '' : value.toPrecision(3))

export function infoText(info: AdapterInfo, signs: Signs): string {
  const {base, format, methods, model, norm, not_shown: hidden, parts} = info
  const percent = info.trainable_percent === null ? '' : `, ${info.trainable_percent.toPrecision(3)} % of the whole`
  const facts = formatTable([
    ['adapter', `${info.path} (${format === 'peft' ? 'Hugging Face PEFT' : 'mambatune'})`],
    ['base', base.path],
    ...(base.mixer_rms_eps === undefined ? [] : [['norm', `Δ, B and C of the base get one, ε ${base.mixer_rms_eps}`]]),
    ['trainable', `${formatCount(info.trainable_parameters)}${percent}`],
    ...methods.map(({method, settings}) => [
      method,
      Object.entries(settings)
        .map(([key, value]) => `${key} ${[value].flat().join(', ')}`)
        .join(' · '),
    ]),
    ['‖ΔW‖', norm.toPrecision(4)],
    ...hidden.map(({part, reason}) => ['not shown', `${part}: ${reason}.`]),
  ])
  if (parts.length === 0) return `${facts}\n\nThis adapter adds nothing to weights that could be shown.`
  const grid = gridOf(parts)
  const note =
    model === 'not known'
      ? '\nThe base is not here, so whole projections are not told apart into slices: name it with --model.'
      : ''
  return [facts, normTable(grid, info), layerTable(grid), normBlocks(grid, signs) + note].join('\n\n')
}

/** A line for each part with all layers together, its largest layer, and with the weights how large that is beside them. */
function normTable({parts: names}: NormGrid, {model, parts}: AdapterInfo): string {
  const rows = names.map((name) => {
    const own = parts.filter(({part}) => part === name)
    const largest = own.reduce((most, next) => (next.norm > most.norm ? next : most))
    const ranks = [...new Set(own.map(({rank}) => (rank === null ? 'full' : String(rank))))]
    const relative = own.flatMap((part) => (part.relative === null ? [] : [part.relative]))
    const mean = relative.reduce((sum, value) => sum + value, 0) / Math.max(1, relative.length)
    return [
      name,
      String(own.length),
      ranks.join(', '),
      digits(Math.hypot(...own.map(({norm}) => norm))),
      `${digits(largest.norm)}${largest.layer === null ? '' : ` in ${largest.layer}`}`,
      ...(model === 'weights' ? [relative.length > 0 ? `${(100 * mean).toPrecision(2)} %` : ''] : []),
    ]
  })
  const header = ['PART', 'SITES', 'RANK', '‖ΔW‖', 'LARGEST', ...(model === 'weights' ? ['OF ‖W‖, MEAN'] : [])]
  return formatTable(rows, {align: ['left', 'right', 'right', 'right', 'right', 'right'], header})
}

/** ‖ΔW‖ of every part of every layer. */
function layerTable({cells, layers, parts}: NormGrid): string {
  const rows = layers.flatMap((layer, column) =>
    layer === null ? [] : [[String(layer), ...cells.map((row) => digits(row[column] ?? null))]],
  )
  const inside = parts.filter((_, row) => layers.some((layer, column) => layer !== null && cells[row][column] !== null))
  const kept = [0, ...inside.map((part) => 1 + parts.indexOf(part))]
  return formatTable(
    rows.map((row) => kept.map((column) => row[column])),
    {align: kept.map(() => 'right'), header: ['LAYER', ...inside]},
  )
}

export function diffText(diff: AdapterDiff): string {
  const {cosine, difference, norm_a: a, norm_b: b, not_compared: left, parts, same_base: same, settings} = diff
  const shown = (value: unknown): string => (value === undefined ? 'absent' : JSON.stringify(value))
  const facts = formatTable([
    ['A', diff.a],
    ['B', diff.b],
    ['base', same === null ? 'PEFT does not say which weights' : same ? 'the same' : 'not the same'],
    ['settings', settings.length === 0 ? 'the same' : 'differ in'],
    ...settings.map((setting) => ['', `${setting.where}: ${shown(setting.a)} in A, ${shown(setting.b)} in B`]),
    ['‖ΔW‖', `${digits(a)} in A, ${digits(b)} in B, ${digits(difference)} between them`],
    ['cosine', cosine === null ? 'none: one of them changes nothing' : cosine.toFixed(4)],
    ...left.map(({reason, where}) => ['not compared', `${where}: ${reason}.`]),
  ])
  const rows = parts.map(({cosine: own, difference: between, norm_a: first, norm_b: second, site}) => {
    const {layer, part} = placeOf(site)
    const numbers = [first, second, between].map(digits)
    return [layer === null ? '' : String(layer), part, ...numbers, own === null ? '' : own.toFixed(4)]
  })
  const table = formatTable(rows, {
    align: ['right', 'left', 'right', 'right', 'right', 'right'],
    header: ['LAYER', 'PART', '‖ΔW‖ A', '‖ΔW‖ B', 'B − A', 'COSINE'],
  })
  return rows.length === 0 ? facts : `${facts}\n\n${table}`
}

export function combineText({
  adapters,
  error,
  out,
  sites,
  tensors,
  trainable_parameters: numbers,
}: CombineReport): string {
  const sum = adapters.map(({path, weight}) => `${weight} × ${path}`).join(' + ')
  const ranks = [...new Set(sites.map(({rank}) => rank))].join(', ')
  const stacked = [...new Set(sites.map((site) => site.stacked))].join(', ')
  const lines = [
    `${sum} → ${out}: ${formatCount(tensors)} tensors, ${formatCount(numbers)} numbers, rank ${ranks || 'none'}.`,
    error === 0
      ? 'Nothing was cut: the sum is exact.'
      : `Cut from rank ${stacked}: what is missing is ${(100 * error).toPrecision(3)} % of ‖ΔW‖, at most ${(100 * Math.max(...sites.map((site) => site.error))).toPrecision(3)} % at one site.`,
  ]
  return lines.join('\n')
}
