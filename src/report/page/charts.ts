/**
 * The drawings of a report, as SVG in text: Observable Plot on a document that is not in a browser, so that a reader needs no
 * script. Colours are the page's own properties, and so follow its light or dark.
 */
import * as Plot from '@observablehq/plot'
import {parseHTML} from 'linkedom'
import {orderOf, type PartNorm} from '../update-norms.js'
import {Markup} from './html.js'
import {type Point, thin} from './thin.js'

/** Colours of the page for lines, before dashes tell them apart. */
const COLOURS = 8
const HEIGHT = 240
const SMALL_HEIGHT = 170

export interface Line {
  readonly points: readonly Point[]
  readonly colour: string
  readonly width?: number
  readonly opacity?: number
  readonly dashed?: boolean
  /** Points are few, and each is a measurement. */
  readonly dots?: boolean
}

export interface ChartOptions {
  readonly label: string
  readonly width: number
  readonly small?: boolean
  readonly logarithmic?: boolean
  readonly fromZero?: boolean
  readonly format?: (value: number) => string
}

/** The colour and stroke of the n-th line. */
export function strokeOf(index: number): {colour: string; dashed: boolean} {
  return {colour: `var(--line-${(index % COLOURS) + 1})`, dashed: index >= COLOURS}
}

/** Curves over steps. */
export function lineChart(lines: readonly Line[], options: ChartOptions): Markup {
  const marks = lines.flatMap(({colour, dashed = false, dots = false, opacity = 1, points, width = 2}) => {
    const shown = thin(points)
    const line = Plot.lineY(shown, {
      stroke: colour,
      strokeOpacity: opacity,
      strokeWidth: width,
      x: 'x',
      y: 'y',
      ...(dashed && {strokeDasharray: '5 3'}),
    })
    if (!dots && shown.length > 1) return [line]
    const title = ({x, y}: Point): string => `step ${x}: ${options.format?.(y) ?? y.toPrecision(4)}`
    return [line, Plot.dot(shown, {fill: colour, r: 3, stroke: 'var(--page)', strokeWidth: 1.5, title, x: 'x', y: 'y'})]
  })
  return draw({
    height: options.small ? SMALL_HEIGHT : HEIGHT,
    label: options.label,
    marginLeft: 56,
    marks: [Plot.gridY({stroke: 'var(--grid)', strokeOpacity: 1, ticks: 4}), ...marks],
    width: options.width,
    x: {label: null, ticks: options.small ? 4 : 8},
    y: {
      grid: false,
      label: null,
      nice: true,
      tickSize: 0,
      ticks: 4,
      ...(options.logarithmic && {type: 'log' as const}),
      ...(options.fromZero && {zero: true}),
      ...(options.format && {tickFormat: options.format}),
    },
  })
}

/** How much has changed in a part of a layer; layer null: outside the layers. */
export type HeatCell = Pick<PartNorm, 'layer' | 'norm' | 'part' | 'rms'>

/** The row of what lies outside the layers. */
const OUTSIDE = '–'

const CELL_HEIGHT = 16
const CELL_WIDTH = 74

/** A cell for each layer and part, the fuller the more has changed there. */
export function heatMap(cells: readonly HeatCell[], label: string): Markup {
  const parts = [...new Set(cells.map(({part}) => part))].sort(orderOf)
  const rows = new Set(cells.map(({layer}) => layer ?? Infinity))
  const layers = [...rows].sort((a, b) => a - b).map((layer) => (layer === Infinity ? OUTSIDE : layer))
  const most = cells.reduce((largest, {rms}) => Math.max(largest, rms), 0)
  const every = Math.max(1, Math.ceil(layers.length / 24))
  return draw({
    height: 40 + layers.length * CELL_HEIGHT,
    label,
    marginLeft: 30,
    marginTop: 30,
    marks: [
      Plot.cell(cells, {
        fill: 'var(--line-1)',
        fillOpacity: ({rms}: HeatCell) => (most > 0 ? rms / most : 0),
        inset: 0.5,
        stroke: 'var(--grid)',
        title: ({layer, norm, part, rms}: HeatCell) =>
          `${layer === null ? '' : `layer ${layer}, `}${part}: root mean square ${rms.toExponential(2)}, norm ${norm.toPrecision(3)}`,
        x: 'part',
        y: ({layer}: HeatCell) => layer ?? OUTSIDE,
      }),
    ],
    width: 50 + parts.length * CELL_WIDTH,
    x: {axis: 'top', domain: parts, label: null, tickSize: 0},
    y: {domain: layers, label: null, tickSize: 0, ticks: layers.filter((_, index) => index % every === 0)},
  })
}

function draw({label, ...options}: Plot.PlotOptions & {readonly label: string}): Markup {
  const {document} = parseHTML('<html><body></body></html>')
  const svg = Plot.plot({
    ...options,
    ariaLabel: label,
    document,
    opacity: {type: 'identity'},
    style: {background: 'none', color: 'var(--muted)', fontFamily: 'inherit', fontSize: '11px'},
  })
  svg.setAttribute('role', 'img')
  return new Markup(svg.outerHTML)
}
