/**
 * Products of small blocks inside one workgroup, as the SSD scan is made of: what its shaders ask of the two ways to make
 * them, f32 numbers in registers (plain-blocks.wgsl.ts) or matrix units (matrix-blocks.wgsl.ts).
 *
 * A result of rows × columns is divided among the invocations in `slots`: each is four neighbouring columns of a row, a
 * vec4<f32> named `${result}_${slot}`. Code for each slot finds its first place in `row` and `column`.
 */

export interface Area {
  readonly rows: number
  readonly columns: number
}

/** A factor, read four numbers at a time. */
export interface Factor {
  /** Whether numbers that lie one after another are terms of one sum; otherwise they are rows or columns of the result. */
  readonly along: boolean
  /** vec4<f32> of line `line` from `at` on: lines are rows or columns if `along`, else terms */
  readonly quad: (line: string, at: string) => string
  /** The same as vec4<u32> of eight f16, where they are stored so */
  readonly eight?: (line: string, at: string) => string
  /** What a line is multiplied with */
  readonly scale?: (line: string) => string
  /** Whether that is read from a tensor, so that it has to be asked for early too */
  readonly scaleIsRead?: boolean
}

export interface Blocks {
  readonly name: string
  readonly invocations: number
  /** Directives before all else */
  readonly enables: string
  /** Constants that an entry point begins with */
  readonly constants: string
  /** Workgroup memory for products with the given results; `kept` is the largest result that is kept as a factor. */
  readonly declare: (areas: readonly Area[], kept: Area | null) => string
  /** Begins a sum at zero. */
  readonly begin: (result: string, area: Area) => string
  /** Adds a product over so many terms; the left factor may be what `keep` put aside. */
  readonly multiply: (id: string, result: string, area: Area, factors: Factors) => Steps
  /** Gives every invocation its slots, once all products are added. */
  readonly finish: (result: string, area: Area) => string
  readonly slots: (area: Area) => readonly number[]
  readonly each: (area: Area, code: (slot: number) => string) => string
  /** The same for two slots side by side at once, `column` being that of the first; null where none lie so */
  readonly eachPair: ((area: Area, code: (slot: number) => string) => string) | null
  /** Puts a result, changed or not, aside as a left factor: its columns are the terms. */
  readonly keep: (result: string, area: Area) => string
  /**
   * Statement that shows the slot's value to the others, with a barrier before and after; what was kept is lost, and so is
   * what is shown when a product begins.
   */
  readonly show: (slot: number, value: string, area: Area) => string
  /** What was shown at a row and column, and in the four columns of a quad */
  readonly shown: (row: string, column: string, area: Area) => string
  readonly shownQuad: (row: string, quad: string, area: Area) => string
}

export interface Factors {
  readonly terms: number
  readonly left: Factor | 'kept'
  readonly right: Factor
}

/**
 * A product in two parts, so that its first numbers are on their way while something else is done. `load` asks for them, in
 * the scope of `rest`; what `rest` is given stands before its last multiplications, where no barrier follows any more.
 */
export interface Steps {
  readonly load: string
  readonly rest: (meanwhile: string) => string
}

export const BARRIER = 'workgroupBarrier();'

/** One result as code: begin, products, finish. */
export function product(blocks: Blocks, result: string, area: Area, ...products: readonly Factors[]): Steps {
  const steps = products.map((factors, index) => blocks.multiply(`${result}_${index}`, result, area, factors))
  return {
    load: steps[0].load,
    rest: (meanwhile) =>
      [
        blocks.begin(result, area),
        ...steps.map(({rest}, index) => rest(steps[index + 1]?.load ?? meanwhile)),
        blocks.finish(result, area),
      ].join('\n'),
  }
}

/** All of it in one place. */
export const whole = ({load, rest}: Steps): string => `${load}\n${rest('')}`
