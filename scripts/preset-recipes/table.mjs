// The table of all presets in docs/presets.md.
import {inGib, whole} from './figures.mjs'

const BEGIN = '<!-- presets: written by scripts/write-preset-recipes.mjs; do not edit -->'
const END = '<!-- end of presets -->'

const HEAD = ['Recipe', 'Trained', '%', 'Rows × tokens', 'GiB, estimated', 'block', 'GiB, measured', 'Tokens/s']

/** The page with its table replaced. */
export function withPresetTable(page, pairs, figures) {
  const [before, after] = [page.indexOf(BEGIN), page.indexOf(END)]
  if (before < 0 || after < before) throw new Error(`docs/presets.md has lost its marks: ${BEGIN} … ${END}`)
  const rows = pairs.map(({model, name}) => row(name, model, figures))
  return `${page.slice(0, before)}${BEGIN}\n\n${table([HEAD, ...rows])}\n\n${page.slice(after)}`
}

function row(name, {batch, length}, {estimated, measured}) {
  const {base, block, none, trained} = estimated[name]
  const {peak_gib: peak, tokens_per_second: speed} = measured.get(name) ?? {}
  return [
    `\`${name}\``,
    whole(trained),
    ((100 * trained) / (base + trained)).toPrecision(2),
    `${batch} × ${length}`,
    inGib(none),
    inGib(block),
    peak === undefined ? '–' : peak.toFixed(2),
    speed === undefined ? '–' : whole(speed),
  ]
}

/** A table with columns of equal width, as Prettier leaves it. */
function table(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((cells) => cells[column].length)))
  const lines = rows.map((cells) => `| ${cells.map((text, column) => text.padEnd(widths[column])).join(' | ')} |`)
  return [lines[0], `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`, ...lines.slice(1)].join('\n')
}
