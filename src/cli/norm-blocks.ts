/** ‖ΔW‖ as shaded blocks: a line for each part, a column for each layer, the darker the larger. */
import {type NormGrid} from '../report/update-norms.js'
import {type Signs} from './terminal.js'
import {formatTable} from './table.js'

/** Least first; a place where nothing is changed stays empty. */
const UNICODE_SHADES = ['·', '░', '▒', '▓', '█']
const ASCII_SHADES = ['.', ':', '+', '#', '@']

export function normBlocks({cells, largest, layers, parts}: NormGrid, signs: Signs): string {
  const shades = signs.full === '█' ? UNICODE_SHADES : ASCII_SHADES
  const shade = (size: number | null): string => {
    if (size === null) return ' '
    const share = largest === 0 ? 0 : size / largest
    return shades[Math.min(shades.length - 1, Math.floor(share * shades.length))]
  }
  const rows = parts.map((part, row) => [part, layers.map((_, column) => shade(cells[row][column])).join('')])
  const steps = shades.map((sign, index) => `${sign} ${((index * largest) / shades.length).toPrecision(2)}`)
  const header = ['LAYER', ruler(layers.filter((layer) => layer !== null).length)]
  return `${formatTable(rows, {header})}\n\n‖ΔW‖ from ${steps.join('  ')}  to ${largest.toPrecision(2)}`
}

/** A number at every tenth layer. */
function ruler(layers: number): string {
  const marks = Array.from({length: Math.ceil(layers / 10)}, (_, index) => String(10 * index).padEnd(10))
  return marks.join('').trimEnd()
}
