/** The drawings of a report with their headings and legends; a part without data is left out. */
import {RunningAverage} from '../running-average.js'
import {type RunRecord} from '../runs/show-run.js'
import {type HeatCell, heatMap, type Line, lineChart, strokeOf} from './charts.js'
import {html, type Markup} from './html.js'
import {bytes, count, short} from './numbers.js'
import {type Point} from './thin.js'

const WIDE = 1000
const NARROW = 320

interface Entry {
  readonly name: string
  readonly colour: string
  readonly dashed?: boolean
}

export function lossSection({evaluations, steps}: RunRecord): Markup[] {
  if (steps.length === 0 && evaluations.length === 0) return []
  const average = new RunningAverage()
  const losses = steps.map(({loss, step}) => ({x: step, y: loss}))
  const smooth = losses.map(({x, y}) => ({x, y: average.add(y)}))
  const [train, validation] = ['var(--line-1)', 'var(--line-2)']
  const lines: Line[] = [
    {colour: train, opacity: 0.3, points: losses, width: 1},
    {colour: train, points: smooth},
    {colour: validation, dots: true, points: evaluations.map(({loss, step}) => ({x: step, y: loss}))},
  ]
  const entries = [
    {colour: train, name: 'training, each step and averaged'},
    ...(evaluations.length > 0 ? [{colour: validation, name: 'validation'}] : []),
  ]
  const rows = evaluations.map(
    ({loss, perplexity, step}) =>
      html`<tr>
        <td class="number">${count(step)}</td>
        <td class="number">${loss.toFixed(4)}</td>
        <td class="number">${perplexity === null ? '∞' : perplexity.toFixed(2)}</td>
      </tr>`,
  )
  const table = html`<details>
    <summary>Validation in numbers</summary>
    <table>
      <thead>
        <tr>
          <th>step</th>
          <th>loss</th>
          <th>perplexity</th>
        </tr>
      </thead>
      <tbody>
        ${rows}
      </tbody>
    </table>
  </details>`
  const chart = lineChart(lines, {format: short, label: 'Loss by step', width: WIDE})
  return [
    html`<section id="loss">
      <h2>Loss</h2>
      <p>Mean over supervised tokens, in nats, by step.</p>
      ${legend(entries)}
      <div class="scroll wide">${chart}</div>
      ${rows.length > 0 ? [table] : []}
    </section>`,
  ]
}

export function gradientSection({gauges, steps}: RunRecord): Markup[] {
  const groups = [...new Set(gauges.flatMap(({grad_norms: norms}) => Object.keys(norms)))]
  const positive = (points: Point[]): Point[] => points.filter(({y}) => y > 0)
  const all = positive(steps.map(({grad_norm: norm, step}) => ({x: step, y: norm ?? Number.NaN})))
  if (all.length === 0) return []
  const entries = groups.map((name, index): Entry => ({name, ...strokeOf(index)}))
  const lines: Line[] = [
    {colour: 'var(--muted)', opacity: 0.5, points: all, width: 1},
    ...entries.map((entry): Line => ({
      ...entry,
      dots: gauges.length < 2,
      points: positive(gauges.map(({grad_norms: norms, step}) => ({x: step, y: norms[entry.name] ?? Number.NaN}))),
    })),
  ]
  const chart = lineChart(lines, {
    format: short,
    label: 'Gradient norm by step and group',
    logarithmic: true,
    width: WIDE,
  })
  return [
    html`<section id="gradients">
      <h2>Gradient norm</h2>
      <p>Before clipping, by adapter entry and target over all layers. Logarithmic.</p>
      ${legend([{colour: 'var(--muted)', name: 'all'}, ...entries])}
      <div class="scroll wide">${chart}</div>
    </section>`,
  ]
}

export function rateSections({gauges, steps}: RunRecord): Markup[] {
  const of = (name: 'learning_rate' | 'tokens_per_second'): Point[] =>
    steps.map((line) => ({x: line.step, y: line[name] ?? Number.NaN}))
  const small = (id: string, title: string, points: Point[], format: (value: number) => string): Markup[] => {
    if (!points.some(({y}) => Number.isFinite(y))) return []
    const line = {colour: 'var(--line-1)', points}
    const chart = lineChart([line], {format, fromZero: true, label: `${title} by step`, small: true, width: NARROW})
    return [
      html`<section id="${id}">
        <h2>${title}</h2>
        ${chart}
      </section>`,
    ]
  }
  const sections = [
    ...small('rate', 'Learning rate', of('learning_rate'), short),
    ...small('throughput', 'Tokens per second', of('tokens_per_second'), count),
    ...small(
      'memory',
      'Memory',
      gauges.map(({memory_bytes: value, step}) => ({x: step, y: value ?? Number.NaN})),
      bytes,
    ),
  ]
  return sections.length > 0 ? [html`<div class="row">${sections}</div>`] : []
}

/** What the adapter adds to weights, and the first states that it has learned. */
export interface Changes {
  readonly weights: readonly HeatCell[]
  readonly states: readonly HeatCell[]
}

export function changeSections({states, weights}: Changes): Markup[] {
  return [
    ...changes(
      'weights',
      'Change of the weights',
      'Root mean square of ΔW by layer (down) and part (across).',
      weights,
    ),
    ...changes('states', 'Learned first states', 'Root mean square of the numbers, by layer.', states),
  ]
}

function changes(id: string, title: string, text: string, cells: readonly HeatCell[]): Markup[] {
  if (cells.length === 0) return []
  const most = cells.reduce((largest, {rms}) => Math.max(largest, rms), 0)
  return [
    html`<section id="${id}">
      <h2>${title}</h2>
      <p>${text} 0<span class="ramp"></span>${short(most)}</p>
      <div class="scroll">${heatMap(cells, title)}</div>
    </section>`,
  ]
}

/** The answers to each prompt, as training went on. */
export function sampleSection({samples}: RunRecord): Markup[] {
  if (samples.length === 0) return []
  const prompts = [...new Set(samples.map(({prompt}) => prompt))]
  const tables = prompts.map((prompt) => {
    const rows = samples
      .filter((sample) => sample.prompt === prompt)
      .map(
        ({step, text}) =>
          html`<tr>
            <th>step ${count(step)}</th>
            <td class="sample">${text}</td>
          </tr>`,
      )
    return html`<table>
      <thead>
        <tr>
          <th>prompt</th>
          <td class="sample">${prompt}</td>
        </tr>
      </thead>
      <tbody>
        ${rows}
      </tbody>
    </table>`
  })
  return [
    html`<section id="samples">
      <h2>Samples</h2>
      ${tables}
    </section>`,
  ]
}

function legend(entries: readonly Entry[]): Markup {
  const items = entries.map(
    ({colour, dashed = false, name}) =>
      html`<li><i class="${dashed ? 'dashed' : ''}" style="--c: ${colour}"></i>${name}</li>`,
  )
  return html`<ul class="legend">
    ${items}
  </ul>`
}
