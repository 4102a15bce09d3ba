/**
 * A run as one HTML page that needs nothing else: no script, no font, no picture from anywhere. What it may load is also
 * forbidden by its own content security policy, so that even markup that slipped through could do nothing.
 */
import {programVersion} from '../../checkpoint/program-version.js'
import {resolvedYaml} from '../../recipe/resolved.js'
import {mostMemory, throughput} from '../runs/compare-runs.js'
import {type RunRecord} from '../runs/show-run.js'
import {html, Markup} from './html.js'
import {bytes, count, duration} from './numbers.js'
import {type Changes, changeSections, gradientSection, lossSection, rateSections, sampleSection} from './sections.js'
import {STYLE} from './style.js'

export interface PageContent {
  /** What the run is called */
  readonly name: string
  readonly run: RunRecord
  readonly changes: Changes
}

const POLICY = "default-src 'none'; style-src 'unsafe-inline'"

export function runPage({changes, name, run}: PageContent): string {
  const page = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta http-equiv="Content-Security-Policy" content="${POLICY}" />
        <title>${name} · mambatune</title>
        <style>
          ${new Markup(STYLE)}
        </style>
      </head>
      <body>
        <main>
          <header>
            <h1>${name} <span class="status">${run.status}</span></h1>
            <p>${subtitle(run)}</p>
          </header>
          <div class="tiles">${tiles(run)}</div>
          ${[...lossSection(run), ...gradientSection(run), ...rateSections(run), ...changeSections(changes), ...sampleSection(run)]}
          ${recipeSection(run)}
          <footer>Written by mambatune ${programVersion()}. This page holds all of its data and loads nothing.</footer>
        </main>
      </body>
    </html> `
  return page.text
}

function subtitle({device, recipe}: RunRecord): string {
  const parts = recipe ? [recipe.model.base, recipe.adapters.map(({method}) => method).join(' + ')] : []
  return [...parts, ...(device === null ? [] : [device])].join(' · ')
}

function tiles(run: RunRecord): Markup[] {
  const {
    best_validation: best,
    elapsed_s: elapsed,
    planned_steps: planned,
    steps,
    trainable_parameters: trainable,
  } = run
  const last = steps.at(-1)
  const [speed, memory] = [throughput(run), mostMemory(run)]
  const done = count(last?.step ?? 0)
  return [
    tile(last ? last.loss.toFixed(4) : '–', 'last training loss'),
    ...(best ? [tile(best.loss.toFixed(4), `best validation loss, step ${count(best.step)}`)] : []),
    tile(planned === null ? done : `${done} / ${count(planned)}`, 'steps'),
    tile(duration(elapsed), 'time'),
    ...(speed === null ? [] : [tile(count(speed), 'tokens per second')]),
    ...(memory === null ? [] : [tile(bytes(memory), 'most memory seen')]),
    ...(trainable === null ? [] : [tile(count(trainable), 'trained numbers')]),
  ]
}

function tile(value: string, label: string): Markup {
  return html`<div class="tile"><b>${value}</b><span>${label}</span></div>`
}

function recipeSection({hashes, recipe, skipped}: RunRecord): Markup {
  const names = {adapter: 'adapter, SHA-256', base: 'base model, fingerprint', data: 'training rows, SHA-256'} as const
  const rows = (['base', 'data', 'adapter'] as const).flatMap((name) => {
    const hash = hashes[name]
    return hash === null
      ? []
      : [
          html`<tr>
            <th>${names[name]}</th>
            <td><code>${hash}</code></td>
          </tr>`,
        ]
  })
  const left =
    skipped > 0
      ? [
          html`<tr>
            <th>steps left out</th>
            <td>${skipped} that were not finite</td>
          </tr>`,
        ]
      : []
  const table = html`<section id="hashes">
    <h2>What it was made from</h2>
    <table>
      <tbody>
        ${[...rows, ...left]}
      </tbody>
    </table>
  </section>`
  const text = recipe ? resolvedYaml(recipe) : 'recipe.resolved.yaml is missing.'
  return html`${table}
    <section id="recipe">
      <details open>
        <summary>Recipe</summary>
        <pre>${text}</pre>
      </details>
    </section>`
}
