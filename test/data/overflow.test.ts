/** What becomes of rows that are too long, and that borders of characters become borders of tokens. */
import {describe, expect, test} from '@jest/globals'
import fc from 'fast-check'

import {type DataSettings, type Example} from '../../src/data/dataset.js'
import {ExampleBuilder} from '../../src/data/examples.js'
import {FaultList} from '../../src/data/fault-list.js'
import {pieceBorders} from '../../src/data/overflow.js'
import {tokenSpans} from '../../src/data/token-borders.js'
import {letters} from './letters.js'
import {marked} from './marked.js'

interface Built {
  readonly texts: string[]
  readonly notes: string
  readonly faults: string
}

function build(changes: Partial<DataSettings>, ...rows: [prompt: string, completion: string][]): Built {
  const settings: DataSettings = {appendEos: false, format: 'auto', lossOn: 'auto', maxLength: 4, ...changes}
  const faults = new FaultList()
  const examples: Example[] = []
  const sink = {beginRow: () => {}, push: (example: Example) => void examples.push(example)}
  const parts = {faults, format: 'prompt_completion', lossOn: 'completion', settings, sink, template: null} as const
  const builder = new ExampleBuilder({...parts, tokenizer: letters})
  for (const [prompt, completion] of rows) {
    builder.addRow({completion, format: 'prompt_completion', prompt}, 'a.jsonl:1')
  }
  const texts = examples.map((example) => marked(example, letters))
  return {
    faults:
      faults
        .error()
        ?.faults.map(({message}) => message)
        .join('\n') ?? '',
    notes: builder.notes().join('\n'),
    texts,
  }
}

const long: [string, string] = ['cd', 'efghi']

describe('overflow', () => {
  test.each([
    ['truncate_right', ['cd⟦ef⟧'], 'Rows cut on the right to max_length 4: 1 of 2 (the longest has 7 tokens).'],
    ['truncate_left', ['⟦fghi⟧'], 'Rows cut on the left to max_length 4: 1 of 2'],
    ['drop', [], 'Rows left out because they are longer than max_length 4: 1 of 2'],
    ['split', ['cd⟦ef⟧', '⟦ghi⟧'], 'Rows split into pieces of max_length 4: 1 of 2'],
  ] as const)('%s', (overflow, expected, note) => {
    const {faults, notes, texts} = build({overflow}, long, ['c', 'd'])
    expect(texts).toEqual([...expected, 'c⟦d⟧'])
    expect(notes).toContain(note)
    expect(faults).toBe('')
  })

  test('error', () => {
    expect(build({overflow: 'error'}, long).faults).toBe('has 7 tokens, more than max_length 4')
  })

  test('pieces with nothing to learn from are left out and counted; cutting to such a piece is a fault', () => {
    const row: [string, string] = ['cdefgh', 'ij']
    expect(build({overflow: 'split'}, row)).toMatchObject({texts: ['gh⟦ij⟧']})
    expect(build({overflow: 'split'}, row).notes).toContain('nothing in them is trained: 1.')
    expect(build({}, row).faults).toContain('all supervised tokens are cut off')
  })

  test('pieces are consecutive, of at most max_length, and never of one token where it can be helped', () => {
    fc.assert(
      fc.property(fc.integer({max: 500, min: 0}), fc.integer({max: 40, min: 2}), (length, most) => {
        const borders = pieceBorders(length, most)
        expect(borders.map(([begin]) => begin)).toEqual([0, ...borders.map(([, end]) => end)].slice(0, borders.length))
        expect(borders.at(-1)?.[1] ?? 0).toBe(length)
        for (const [begin, end] of borders) {
          expect(end - begin).toBeLessThanOrEqual(most)
          if (most > 2 && length > 1) expect(end - begin).toBeGreaterThan(1)
        }
      }),
    )
  })
})

describe('borders between tokens', () => {
  const text = fc.string({maxLength: 40, unit: fc.constantFrom('a', 'b', 'c', ' ')})

  test('a span has exactly the tokens that have a character of it', () => {
    fc.assert(
      fc.property(text, fc.array(fc.nat(40), {maxLength: 8}), (whole, cuts) => {
        const borders = [...new Set(cuts.map((cut) => Math.min(cut, whole.length)))].sort((a, b) => a - b)
        const spans = borders.slice(1).flatMap((end, index) => (index % 2 === 0 ? [{begin: borders[index], end}] : []))
        const ids = letters.encode(whole)
        const starts = ids.map((_, index) => letters.decode(ids.slice(0, index)).length)
        const found = tokenSpans(whole, ids, spans, letters)
        for (const [index, {begin, end}] of spans.entries()) {
          const inside = starts.flatMap((start, token) => {
            const after = starts[token + 1] ?? whole.length
            return start < end && after > begin ? [token] : []
          })
          expect([found[index].begin, found[index].end]).toEqual([inside[0], (inside.at(-1) ?? 0) + 1])
          expect(found[index].isShared).toBe(starts[inside[0]] < begin)
        }
      }),
    )
  })

  test('each piece of text is encoded once, not each beginning', () => {
    let encoded = 0
    const counting = {
      decode: (ids: readonly number[]) => letters.decode(ids),
      encode(piece: string): number[] {
        encoded += piece.length
        return letters.encode(piece)
      },
    }
    const whole = 'cde '.repeat(1000)
    const spans = Array.from({length: 999}, (_, index) => ({begin: 4 * index + 1, end: 4 * index + 2}))
    tokenSpans(whole, letters.encode(whole), spans, counting)
    expect(encoded).toBeLessThan(2 * whole.length)
  })
})
