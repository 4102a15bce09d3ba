/**
 * Random numbers that are a pure function of a seed and some names: `new RandomStream(42, 'dropout', step, layer)`.
 * The names are hashed (SHA-256 of their JSON text, first 128 bits) into the state of xoroshiro128+ from pure-rand, so streams of
 * different names are independent, a new consumer never disturbs an old one, and nothing has to be saved to resume a run.
 * The numbers are part of the file formats: changing anything here changes every seeded run. The tests pin them.
 */
import {createHash} from 'node:crypto'
import {xoroshiro128plusFromState} from 'pure-rand/generator/xoroshiro128plus'

/** 4 exp(-1/2) / sqrt(2), the width of the box around the normal density in Kinderman and Monahan's method. */
const normalBox = 1.7155277699214135

export class RandomStream {
  private generator: ReturnType<typeof xoroshiro128plusFromState>

  constructor(seed: number, ...names: (string | number)[]) {
    const digest = createHash('sha256')
      .update(JSON.stringify([seed, ...names]))
      .digest()
    this.generator = xoroshiro128plusFromState([0, 4, 8, 12].map((offset) => digest.readInt32LE(offset)))
  }

  /** Where the stream is: setting it to what it once was repeats the numbers from there. */
  get position(): readonly number[] {
    return this.generator.getState()
  }

  set position(state: readonly number[]) {
    this.generator = xoroshiro128plusFromState(state)
  }

  nextUint32(): number {
    return this.generator.next() >>> 0
  }

  /** In [0, 1), a multiple of 2^-53. The lowest bits of xoroshiro128+ are its weakest and are dropped. */
  uniform(): number {
    const high = this.nextUint32() >>> 6
    const low = this.nextUint32() >>> 5
    return (high * 2 ** 27 + low) / 2 ** 53
  }

  /**
   * Standard normal, by the ratio of two uniforms (Kinderman and Monahan 1977). The value itself comes from +, - and / only, which are
   * exact everywhere; the logarithm merely accepts or rejects, so another JavaScript engine gives the same numbers.
   */
  normal(): number {
    for (;;) {
      const u = 1 - this.uniform()
      const z = (normalBox * (this.uniform() - 0.5)) / u
      if ((z * z) / 4 <= -Math.log(u)) return z
    }
  }
}
