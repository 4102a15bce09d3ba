/**
 * ‖ΔW‖ as a picture: an SVG of one square for each part and layer, the darker the larger, with the number as its title. It
 * stands alone: no script, no style sheet, and text that follows the reader's colours.
 */
import {type NormGrid} from './update-norms.js'

const CELL = 18
const GAP = 2
const LEFT = 100
const TOP = 46
const BOTTOM = 34

/** From white to a dark blue, light first. */
const LIGHT = [222, 235, 247]
const DARK = [8, 48, 107]

export function normPicture({cells, largest, layers, parts}: NormGrid, title: string): string {
  const width = LEFT + layers.length * CELL + 20
  const height = TOP + parts.length * CELL + BOTTOM
  const rows = parts.map((part, row) => text(LEFT - 6, middle(row), part, 'end'))
  const columns = layers.flatMap((layer, column) =>
    layer === null
      ? []
      : layers.length > 16 && layer % 4 > 0
        ? []
        : [text(LEFT + (column + 0.5) * CELL, TOP - 6, String(layer), 'middle')],
  )
  const squares = cells.flatMap((row, y) =>
    row.flatMap((size, x) => (size === null ? [] : [square(x, y, size, largest, `${nameOf(layers[x], parts[y])}`)])),
  )
  const legend = text(LEFT, height - 12, `largest ‖ΔW‖ ${largest.toPrecision(3)}`, 'start')
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${Math.max(width, 360)}" height="${height}" font-family="system-ui, sans-serif" font-size="11" fill="#777">
${text(8, 18, title, 'start')}
${[...rows, ...columns, ...squares, legend].join('\n')}
</svg>
`
}

function nameOf(layer: number | null, part: string): string {
  return layer === null ? part : `layer ${layer} ${part}`
}

const middle = (row: number): number => TOP + (row + 0.5) * CELL + 4

function square(x: number, y: number, size: number, largest: number, name: string): string {
  const share = largest === 0 ? 0 : size / largest
  const colour = LIGHT.map((light, index) => Math.round(light + share * (DARK[index] - light)))
  const place = `x="${LEFT + x * CELL}" y="${TOP + y * CELL}" width="${CELL - GAP}" height="${CELL - GAP}"`
  return `<rect ${place} rx="2" fill="rgb(${colour.join(' ')})"><title>${escaped(name)}: ${size.toPrecision(4)}</title></rect>`
}

function text(x: number, y: number, content: string, anchor: 'end' | 'middle' | 'start'): string {
  return `<text x="${x}" y="${y}" text-anchor="${anchor}">${escaped(content)}</text>`
}

function escaped(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
