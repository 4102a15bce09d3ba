// Writes the tables of docs/methods.md that compare the methods, from what scripts/compare-methods.mjs has measured.
// Everything outside the two marks is written by hand and left alone.
// Usage: node scripts/write-method-table.mjs
import {readFileSync, writeFileSync} from 'node:fs'
import {fileURLToPath} from 'node:url'

const BEGIN = '<!-- comparison: written by scripts/write-method-table.mjs from the results; do not edit -->'
const END = '<!-- end of comparison -->'

const COLUMNS = ['tiny-mamba', 'tiny-mamba2'].flatMap((model) =>
  ['definitions', 'kjv'].map((task) => ({model: `models/${model}`, task, title: `${model}, ${task}`})),
)
const FULL_BUDGET = 1

/**
 * The document with its comparison replaced.
 * @param {string} document
 * @param {string} results lines of JSON
 * @returns {string}
 */
export function withComparison(document, results) {
  const [before, after] = [document.indexOf(BEGIN), document.indexOf(END)]
  if (before < 0 || after < before) throw new Error(`docs/methods.md has lost its marks: ${BEGIN} … ${END}`)
  return `${document.slice(0, before)}${BEGIN}\n\n${comparison(parse(results)).join('\n\n')}\n\n${document.slice(after)}`
}

function parse(results) {
  const lines = results.split('\n').filter(Boolean)
  return lines.map((line) => {
    const result = JSON.parse(line)
    return {...result, loss: mean(result.told), spread: (Math.max(...result.told) - Math.min(...result.told)) / 2}
  })
}

/** A table for each budget, the smallest first, then the line that they are measured against. */
function comparison(results) {
  const budgets = [...new Set(results.map(({budget}) => budget))].sort((a, b) => a - b)
  return budgets
    .filter((budget) => budget > 0 && budget < FULL_BUDGET)
    .flatMap((budget) => [`### About ${percent(budget)} trained`, table(budgetRows(results, budget))])
    .concat(['### Without a budget', table(endRows(results))])
}

const HEAD = ['Method', 'Size', 'Trained', ...COLUMNS.map(({title}) => title), 'Of the fall']

/** Methods in the order of what they reach: those that are better on more of the columns come first. */
function budgetRows(results, budget) {
  const entries = results.filter((result) => result.budget === budget)
  const names = [...new Set(entries.map(({name}) => name))]
  const methods = names.map((name) => {
    const cells = COLUMNS.map((column) => entries.find((entry) => entry.name === name && isIn(column, entry)))
    return {cells, fall: mean(cells.filter(Boolean).map((cell) => fallOf(results, cell))), name}
  })
  methods.sort((a, b) => b.fall - a.fall)
  return methods.map(({cells, fall, name}) => {
    const measured = cells.filter(Boolean)
    return [
      name,
      each(measured, ({size}) => String(size)),
      each(measured, ({total, trained}) => percent(trained / total)),
      ...cells.map(cellText),
      percent(fall),
    ]
  })
}

function endRows(results) {
  const rows = [results.filter(({budget}) => budget === 0), results.filter(({budget}) => budget === FULL_BUDGET)]
  return rows.map((entries) => {
    const cells = COLUMNS.map((column) => entries.find((entry) => isIn(column, entry)))
    const fall = mean(cells.map((cell) => fallOf(results, cell)))
    return [cells[0].name, '', percent(cells[0].trained / cells[0].total), ...cells.map(cellText), percent(fall)]
  })
}

const isIn = (column, {model, task}) => model === column.model && task === column.task

/** How much of the way from the untrained model's loss to that of all weights trained. */
function fallOf(results, {loss, model, task}) {
  const [start, end] = [0, FULL_BUDGET].map(
    (budget) => results.find((result) => result.budget === budget && isIn({model, task}, result)).loss,
  )
  return (start - loss) / (start - end)
}

function cellText(cell) {
  if (!cell) return '—'
  const {loss, rate, spread, told, tried} = cell
  if (told.length === 1) return loss.toFixed(3)
  const rates = tried.map((one) => one.rate)
  const edge = rate === Math.max(...rates) ? '↑' : rate === Math.min(...rates) ? '↓' : ''
  return `${loss.toFixed(3)} ± ${spread.toFixed(3)}, ${Number(rate.toPrecision(3))}${edge}`
}

/** What the models have in common, or one for each. */
function each(measured, text) {
  return [...new Set(measured.map(text))].join(', ')
}

const mean = (numbers) => numbers.reduce((sum, number) => sum + number, 0) / numbers.length

function percent(share) {
  const value = 100 * share
  return `${value >= 10 ? value.toFixed(0) : value.toFixed(value >= 1 ? 1 : 2)} %`
}

/** Markdown as prettier leaves it. */
function table(rows) {
  const all = [HEAD, ...rows]
  const widths = HEAD.map((_, column) => Math.max(3, ...all.map((row) => row[column].length)))
  const line = (row) => `| ${row.map((cell, column) => cell.padEnd(widths[column])).join(' | ')} |`
  return [line(HEAD), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n')
}

const [document, results] = ['../docs/methods.md', '../docs/method-comparison/results.jsonl'].map((file) =>
  fileURLToPath(new URL(file, import.meta.url)),
)
if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(document, withComparison(readFileSync(document, 'utf8'), readFileSync(results, 'utf8')))
}
