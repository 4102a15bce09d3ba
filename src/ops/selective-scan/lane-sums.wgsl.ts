/**
 * Sums of several values across lanes whose numbers differ in given bits. At each bit a lane gives away half of its values
 * and adds what it gets to the other half, so that m values over m lanes take m − 1 exchanges and each lane ends with one
 * sum; from an odd number of values on both lanes add all of them, and end with the same sums.
 *
 * The exchange is a subgroup shuffle, or goes through workgroup memory where the size of subgroups is not known.
 */

export interface Exchange {
  /** Module-scope declarations */
  readonly declarations: string
  /** Statements that declare `received`: the values `sent` of the lane whose number differs in the bits of `mask` */
  readonly swap: (sent: readonly string[], received: readonly string[], mask: number) => string[]
}

export const shuffleExchange: Exchange = {
  declarations: '',
  swap: (sent, received, mask) =>
    sent.map((value, i) => `let ${received[i]} = subgroupShuffleXor(${value}, ${mask}u);`),
}

/** `most` values at once, `lanes` in the workgroup; the code around has to be reached by all lanes together. */
export function memoryExchange(lanes: number, most: number): Exchange {
  return {
    declarations: `var<workgroup> exchanged: array<f32, ${lanes * most}>;`,
    swap: (sent, received, mask) => [
      ...sent.map((value, i) => `exchanged[${i * lanes}u + lane] = ${value};`),
      'workgroupBarrier();',
      ...received.map((name, i) => `let ${name} = exchanged[${i * lanes}u + (lane ^ ${mask}u)];`),
      'workgroupBarrier();',
    ],
  }
}

/** The powers of two from `from` to below `to`: bits of lane numbers. */
export function bitsBetween(from: number, to: number): number[] {
  const bits: number[] = []
  for (let bit = from; bit < to; bit *= 2) bits.push(bit)
  return bits
}

interface Stage {
  readonly mask: number
  /** Values that are left after the stage */
  readonly left: number
  /** Whether halves are exchanged; else both lanes keep all. */
  readonly halved: boolean
}

function stagesOf(values: number, masks: readonly number[]): Stage[] {
  const stages: Stage[] = []
  let left = values
  for (const mask of masks) {
    const halved = left % 2 === 0
    if (halved) left /= 2
    stages.push({halved, left, mask})
  }
  return stages
}

export interface LaneSums {
  readonly code: string
  /** Names of the sums that a lane ends with */
  readonly results: readonly string[]
}

/** Code that sums `values` (names or expressions) over the lanes that differ in `masks`; its names begin with `prefix`. */
export function laneSums(
  prefix: string,
  values: readonly string[],
  masks: readonly number[],
  exchange: Exchange,
): LaneSums {
  const lines: string[] = []
  let current = [...values]
  for (const {halved, left, mask} of stagesOf(values.length, masks)) {
    const named = (what: string): string[] => Array.from({length: left}, (_, i) => `${prefix}_${what}${mask}_${i}`)
    const [sent, kept, received, sum] = ['give', 'keep', 'get', 'sum'].map(named)
    if (halved) {
      const high = `(lane & ${mask}u) != 0u`
      for (let i = 0; i < left; i++) {
        lines.push(`let ${sent[i]} = select(${current[i + left]}, ${current[i]}, ${high});`)
        lines.push(`let ${kept[i]} = select(${current[i]}, ${current[i + left]}, ${high});`)
      }
    }
    lines.push(...exchange.swap(halved ? sent : current, received, mask))
    lines.push(...sum.map((name, i) => `let ${name} = ${halved ? kept[i] : current[i]} + ${received[i]};`))
    current = sum
  }
  return {code: lines.join('\n'), results: current}
}

/** Which of the values a lane's first sum belongs to; its i-th sum belongs to the i-th value after it. */
export function firstSum(values: number, masks: readonly number[]): string {
  const terms = stagesOf(values, masks)
    .filter(({halved}) => halved)
    .map(({left, mask}) => `select(0u, ${left}u, (lane & ${mask}u) != 0u)`)
  return terms.length > 0 ? terms.join(' + ') : '0u'
}

/** Whether a lane is the first of those that end with the same sums. */
export function firstHolder(values: number, masks: readonly number[]): string {
  const repeated = stagesOf(values, masks)
    .filter(({halved}) => !halved)
    .reduce((bits, {mask}) => bits + mask, 0)
  return repeated === 0 ? 'true' : `(lane & ${repeated}u) == 0u`
}
