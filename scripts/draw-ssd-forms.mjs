// Draws the curves that bench/ssd-forms.mjs has measured, one picture beside each file of figures.
// Usage: node scripts/draw-ssd-forms.mjs FILE.json...     writes FILE.svg
import {readFileSync, writeFileSync} from 'node:fs'
import process from 'node:process'
import * as Plot from '@observablehq/plot'
import {parseHTML} from 'linkedom'

for (const file of process.argv.slice(2)) {
  const {batch, description, heads, rows, size, states} = JSON.parse(readFileSync(file, 'utf8'))
  const lines = rows.flatMap(({both, form, forward, length}) => [
    ...(forward === null ? [] : [{length, ms: forward, what: `${form}, forward`}]),
    ...(both === null ? [] : [{length, ms: both, what: `${form}, forward and backward`}]),
  ])
  const {document} = parseHTML('<html></html>')
  const chart = Plot.plot({
    color: {domain: [...new Set(lines.map(({what}) => what))]},
    document,
    grid: true,
    height: 400,
    marginRight: 220,
    marks: [
      Plot.lineY(lines, {marker: true, stroke: 'what', x: 'length', y: 'ms'}),
      Plot.text(lines, Plot.selectLast({dx: 8, text: 'what', textAnchor: 'start', x: 'length', y: 'ms', z: 'what'})),
      Plot.text([`${description}; B ${batch}, H ${heads}, P ${size}, N ${states}`], {frameAnchor: 'top-left'}),
    ],
    width: 860,
    x: {label: 'steps L', ticks: [...new Set(rows.map(({length}) => length))], tickFormat: String, type: 'log'},
    y: {label: 'milliseconds', type: 'log'},
  })
  chart.setAttribute('xmlns', 'http://www.w3.org/2000/svg')
  writeFileSync(file.replace(/\.json$/, '.svg'), chart.outerHTML)
}
