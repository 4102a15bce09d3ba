/** What `mambatune data inspect` prints for people. The same facts, and more, are in its JSON. */
import {type DataInspection} from '../report/inspect-data.js'
import {formatCount} from './format.js'
import {formatTable} from './table.js'
import {type Signs} from './terminal.js'

const BAR = 30

const DIVIDED = 'Plain text is divided into pieces of data.max_length tokens; nothing of it is cut off.'

export function dataInspectionText(data: DataInspection, signs: Signs): string {
  const isText = data.files.every(({container}) => container === 'text')
  const lengths = isText ? [DIVIDED] : [histogram(data, signs), truncation(data)]
  return [facts(data), ...lengths, faults(data)].filter((part) => part !== '').join('\n\n')
}

function facts(data: DataInspection): string {
  const {duplicates, faulty_rows: faulty, files, lengths, notes, rows, supervised, total, unit} = data
  const [file] = files
  const more = files.length > 1 ? `, and ${formatCount(files.length - 1)} more` : ''
  const packed = file.compression === 'none' ? '' : ` in ${file.compression}`
  const {longest, mean, median, percentile_95: most, shortest} = lengths
  return formatTable([
    ['file', `${file.file}${more}`],
    ['container', `${file.container}${packed}: ${file.why}`],
    ['format', data.format],
    ...notes.map((note) => ['', note]),
    ['rows', `${formatCount(rows)}${faulty > 0 ? `, and ${formatCount(faulty)} faults` : ''}`],
    [unit, `${formatCount(total)}, of which ${formatCount(supervised)} trained (${percent(data.supervised_percent)})`],
    [
      'length',
      `${formatCount(shortest)} to ${formatCount(longest)}, mean ${mean.toFixed(1)}, median ${formatCount(median)}, 95 % up to ${formatCount(most)}`,
    ],
    ['duplicates', duplicates === 0 ? 'none' : `${formatCount(duplicates)} (${percent((100 * duplicates) / rows)})`],
  ])
}

function histogram({histogram: bins, rows, unit}: DataInspection, {full}: Signs): string {
  const most = Math.max(...bins.map((bin) => bin.rows))
  return formatTable(
    bins.map((bin) => [
      `${formatCount(bin.from)} – ${formatCount(bin.to)}`,
      formatCount(bin.rows),
      percent((100 * bin.rows) / rows),
      full.repeat(Math.ceil((BAR * bin.rows) / most)),
    ]),
    {align: ['right', 'right', 'right'], header: [unit.toUpperCase(), 'ROWS', 'SHARE']},
  )
}

/** Lengths beyond the first that cuts nothing say nothing new. */
function truncation({truncation: all, unit}: DataInspection): string {
  if (all.length === 0) return 'With --model the lengths are tokens, and what each max_length would cut is told.'
  const enough = all.findIndex(({rows}) => rows === 0)
  return formatTable(
    all
      .slice(0, enough < 0 ? all.length : enough + 1)
      .map((at) => [
        formatCount(at.max_length),
        formatCount(at.rows),
        percent(at.rows_percent),
        percent(at.cut_percent),
      ]),
    {
      align: ['right', 'right', 'right', 'right'],
      header: ['MAX_LENGTH', 'ROWS CUT', 'SHARE', `${unit.toUpperCase()} CUT OFF`],
    },
  )
}

function faults({faults: found}: DataInspection): string {
  return formatTable(found.map(({message, where}) => [where, message]))
}

function percent(value: number): string {
  return `${value > 0 && value < 0.05 ? '< 0.1' : value.toFixed(1)} %`
}
