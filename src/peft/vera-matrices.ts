/** The random matrices of VeRA, A (r, most inputs) and B (most rows, r), made from the adapter's seed: vera.ts says what they are for. */
import {RandomStream} from '../data/random.js'
import {type AdaptableSite} from './sites-of.js'
import {type VeraSettings} from './vera-settings.js'

interface SharedShapes {
  readonly a: readonly [number, number] // (r, most inputs)
  readonly b: readonly [number, number] // (most rows, r)
}

/** Of the matrices that these sites share. */
export function sharedShapes(rank: number, sites: readonly AdaptableSite[]): SharedShapes {
  return {
    a: [rank, Math.max(...sites.map(({inputs}) => inputs))],
    b: [Math.max(...sites.map(({from, to}) => to - from)), rank],
  }
}

/** U(±√(6 / columns)), row by row. */
export function sharedMatrix(
  {seed}: VeraSettings,
  name: 'A' | 'B',
  [rows, columns]: readonly [number, number],
): Float32Array {
  const random = new RandomStream(seed, 'vera', name, rows, columns)
  const bound = Math.sqrt(6 / columns)
  return Float32Array.from({length: rows * columns}, () => (2 * random.uniform() - 1) * bound)
}
