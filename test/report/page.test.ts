import {afterAll, beforeAll, describe, expect, test} from '@jest/globals'
import {appendFile, readFile, writeFile} from 'node:fs/promises'
import {pathToFileURL} from 'node:url'
import {type Browser, chromium, type Page} from 'playwright-core'
import {html, Markup} from '../../src/report/page/html.js'
import {thin} from '../../src/report/page/thin.js'
import {runCommand} from '../cli/run-command.js'
import {executableInPath} from '../support/executable.js'
import {writeRecipe, writeRows} from '../support/runs.js'
import {unevenRows} from '../support/uneven-rows.js'
import {workDirectory} from '../support/work-directory.js'

/** What every text of the run says that its author can choose. */
const HOSTILE = `</style></script><script>document.title = 'taken'</script><img src="x" onerror="document.title='taken'"> ' " & ]]>`
/** The same as far as a directory's name can hold it. */
const NAME = `<img src=x onerror=document.title=1> "&'`

const inWork = workDirectory()
let browser: Browser
let file = ''

beforeAll(async () => {
  const rows = await writeRows(inWork('rows.jsonl'), unevenRows([24, 31, 9, 17]))
  const recipe = await writeRecipe(inWork('recipe.yaml'), {
    adapters: [{method: 'lora', targets: ['in_proj', 'x_proj'], rank: 4, alpha: 8}, {method: 'initial-state'}],
    data: {validation: await writeRows(inWork(`${NAME}.jsonl`), unevenRows([30, 12]))},
    more: {eval: {every: 2, at_start: true}, logging: {every: 2}},
    output: inWork(NAME),
    train: rows,
    training: {epochs: 3, max_steps: 6},
  })
  const trained = await runCommand(['train', recipe, '--device', 'cpu'])
  file = inWork(NAME, 'report.html')
  expect(trained).toMatchObject({code: 0, stdout: expect.stringContaining(`Report:  ${file}`)})
  const sample = {event: 'sample', prompt: HOSTILE, step: 3, text: `${HOSTILE}\u0000\u001B[2J`}
  await writeFile(inWork(NAME, 'samples.jsonl'), `${JSON.stringify(sample)}\n`)
  const gauge = {event: 'gauge', grad_norms: {[HOSTILE]: 0.5}, memory_bytes: 1e9, step: 6}
  await appendFile(inWork(NAME, 'metrics.jsonl'), `${JSON.stringify(gauge)}\n`)
  const reported = await runCommand(['report', inWork(NAME), '--json'])
  expect(JSON.parse(reported.stdout)).toMatchObject({file})
  browser = await chromium.launch({args: ['--no-sandbox'], executablePath: executableInPath('chromium-headless-shell')})
})

afterAll(() => browser.close())

interface Opened {
  readonly page: Page
  /** What the page asked for besides itself, and what went wrong */
  readonly complaints: readonly string[]
}

async function open(scheme: 'dark' | 'light', width: number): Promise<Opened> {
  const page = await browser.newPage({colorScheme: scheme, viewport: {height: 900, width}})
  const complaints: string[] = []
  page.on('console', (message) => complaints.push(message.text()))
  page.on('pageerror', (error) => complaints.push(error.message))
  const url = pathToFileURL(file).href
  page.on('request', (request) => void (request.url() === url || complaints.push(request.url())))
  await page.goto(url)
  return {complaints, page}
}

describe('the report in a browser', () => {
  test('draws every curve, asks for nothing, runs nothing, and shows hostile texts as they are', async () => {
    const {complaints, page} = await open('light', 1100)
    expect(complaints).toEqual([])
    expect(await page.title()).toBe(`${NAME} · mambatune`)
    expect(await page.locator('script, img, link, iframe').count()).toBe(0)
    expect(await page.locator('h1').innerText()).toContain(NAME)
    expect(await page.locator('.sample').first().innerText()).toBe(HOSTILE)
    expect(await page.locator('#gradients .legend').innerText()).toContain(HOSTILE)
    for (const id of ['loss', 'gradients', 'rate', 'throughput', 'memory', 'weights', 'states']) {
      const drawing = page.locator(`#${id} svg`)
      expect([id, await drawing.count()]).toEqual([id, 1])
      const marks = drawing.locator('path[d], circle, rect')
      expect(await marks.count()).toBeGreaterThan(0)
      const box = await drawing.boundingBox()
      expect(box?.width).toBeGreaterThan(100)
    }
    expect(await page.locator('#loss circle').count()).toBe(4)
    expect(await page.locator('#weights rect').count()).toBe(2 * 5) // layers × in_proj.x, in_proj.z, x_proj.dt, .B, .C
    expect(await page.locator('#hashes code').allInnerTexts()).toEqual(
      [0, 1, 2].map(() => expect.stringMatching(/^sha256:[\da-f]{64}$/)),
    )
    expect(await page.locator('#recipe pre').innerText()).toContain('targets: [in_proj, x_proj]')
    await page.close()
  })

  test('is light or dark as the reader is, with text that can be read on both', async () => {
    for (const scheme of ['light', 'dark'] as const) {
      const {page} = await open(scheme, 1100)
      const colours = await page.evaluate(() =>
        ['backgroundColor', 'color'].map((name) => {
          const style = getComputedStyle(document.body)
          const [red, green, blue] = (name === 'color' ? style.color : style.backgroundColor).match(/\d+/g) ?? []
          return 0.2126 * Number(red) + 0.7152 * Number(green) + 0.0722 * Number(blue)
        }),
      )
      const [background, ink] = colours
      expect(scheme === 'dark' ? ink - background : background - ink).toBeGreaterThan(180)
      await page.close()
    }
  })

  test('fits a telephone without being pushed sideways', async () => {
    const {page} = await open('light', 360)
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360)
    await page.close()
  })
})

test('--out writes it elsewhere', async () => {
  const out = inWork('elsewhere.html')
  const {code, stdout} = await runCommand(['report', inWork(NAME), '-o', out])
  expect({code, stdout}).toEqual({code: 0, stdout: `Wrote ${out}. Open it in a browser.\n`})
  expect(await readFile(out, 'utf8')).toBe(await readFile(file, 'utf8'))
})

test('a run without a single step has a page too', async () => {
  await writeFile(inWork('metrics.jsonl'), '')
  const {code} = await runCommand(['report', inWork()])
  expect(code).toBe(0)
  expect(await readFile(inWork('report.html'), 'utf8')).toContain('recipe.resolved.yaml is missing.')
})

describe('parts of the page', () => {
  test('html escapes all that is not markup', () => {
    expect(html`<b title="${`"'`}">${'<&>'}${[html`<i>${1}</i>`, new Markup('<hr>')]}</b>`.text).toBe(
      '<b title="&quot;&#39;">&lt;&amp;&gt;<i>1</i><hr></b>',
    )
  })

  test('thin keeps short curves, and means of neighbours of long ones', () => {
    const points = Array.from({length: 1000}, (_, x) => ({x, y: x % 2}))
    expect(thin(points.slice(0, 300))).toHaveLength(300)
    const fewer = thin(points, 100)
    expect(fewer).toHaveLength(100)
    expect(new Set(fewer.map(({y}) => y))).toEqual(new Set([0.5]))
    expect(fewer[0].x).toBe(4.5)
  })
})
