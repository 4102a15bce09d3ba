import {describe, expect, test} from '@jest/globals'

import {displayWidth} from '../../src/cli/display-width.js'
import {formatProgressBar, formatProgressLine} from '../../src/cli/progress-line.js'
import {signsFor} from '../../src/cli/terminal.js'

const signs = signsFor({}, 'linux')
const state = {detail: 'loss 2.314', done: 45, label: 'train', remaining: 71.2, total: 120}

describe('formatProgressLine', () => {
  test('says how far, what, and how long', () => {
    expect(formatProgressLine(state, signs)).toBe('train 45/120 · 37% · loss 2.314 · ETA 1m12s')
  })

  test('promises nothing while the remaining time is unknown', () => {
    expect(formatProgressLine({...state, detail: '', remaining: null}, signs)).toBe('train 45/120 · 37% · ETA …')
  })

  test('says 100% only at the end, and then no ETA', () => {
    expect(formatProgressLine({...state, done: 1999, total: 2000}, signs)).toMatch('1,999/2,000 · 99% ')
    expect(formatProgressLine({...state, done: 120}, signs)).toBe('train 120/120 · 100% · loss 2.314')
  })
})

describe('formatProgressBar', () => {
  test('draws the part that is done', () => {
    expect(formatProgressBar(state, 80, signs)).toBe(
      `train ${'█'.repeat(9)}${'░'.repeat(15)} 45/120 · 37% · loss 2.314 · ETA 1m12s`,
    )
    expect(formatProgressBar({...state, done: 0}, 80, signs)).toMatch(`train ${'░'.repeat(24)} 0/120`)
    expect(formatProgressBar({...state, done: 120}, 80, signs)).toMatch(`train ${'█'.repeat(24)} 120/120`)
  })

  test('fills neither less nor more than the bar when the count is out of range', () => {
    expect(formatProgressBar({...state, done: 130}, 80, signs)).toMatch(`train ${'█'.repeat(24)} 130/120`)
    expect(formatProgressBar({...state, done: 0, total: 0}, 80, signs)).toMatch(`train ${'█'.repeat(24)} 0/0 · 100%`)
  })

  test('fits into every width', () => {
    for (let columns = 1; columns < 100; columns++) {
      const wide = {...state, detail: '损失 2.314 · 12.8k tok/s'}
      expect(displayWidth(formatProgressBar(wide, columns, signs))).toBeLessThanOrEqual(columns)
    }
  })

  test('gives up the bar first, then the detail, and keeps the count and the ETA', () => {
    expect(formatProgressBar(state, 50, signs)).toBe('train ██░░░░ 45/120 · 37% · loss 2.314 · ETA 1m12s')
    expect(formatProgressBar(state, 44, signs)).toBe('train 45/120 · 37% · loss 2.314 · ETA 1m12s')
    expect(formatProgressBar(state, 40, signs)).toBe('train 45/120 · 37% · loss 2… · ETA 1m12s')
    expect(formatProgressBar(state, 32, signs)).toBe('train 45/120 · 37% · ETA 1m12s')
  })
})
