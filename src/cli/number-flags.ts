/** Flags that are numbers. oclif knows whole numbers without bounds that read well; here each says what it expects. */
import {Flags} from '@oclif/core'

type Parse = (text: string) => Promise<number>

function parse(expected: string, accepts: (value: number) => boolean): Parse {
  return async (text) => {
    const value = text.trim() === '' ? Number.NaN : Number(text)
    if (!accepts(value)) throw new TypeError(`got ${text}, expected ${expected}`)
    return value
  }
}

export const count = Flags.custom<number>({
  helpValue: 'N',
  parse: parse('a whole number from 1', (value) => Number.isSafeInteger(value) && value >= 1),
})

export const seed = Flags.custom<number>({
  helpValue: 'N',
  parse: parse(
    'a whole number from 0 to 4294967295',
    (value) => Number.isInteger(value) && value >= 0 && value < 2 ** 32,
  ),
})

export const nonNegative = Flags.custom<number>({
  helpValue: 'N',
  parse: parse('a number from 0', (value) => Number.isFinite(value) && value >= 0),
})

/** Above 0 and up to 1. */
export const share = Flags.custom<number>({
  helpValue: 'N',
  parse: parse('a number above 0 and up to 1', (value) => value > 0 && value <= 1),
})

/** Above 0. */
export const aboveZero = Flags.custom<number>({
  helpValue: 'N',
  parse: parse('a number above 0', (value) => value > 0 && Number.isFinite(value)),
})

const positive = parse('a number above 0', (value) => value > 0 && Number.isFinite(value))
const GIB = 2 ** 30

/** An amount of memory, typed in GiB and given on in bytes. */
export const gibibytes = Flags.custom<number>({
  helpValue: 'GIB',
  parse: async (text) => Math.floor(GIB * (await positive(text))),
})
