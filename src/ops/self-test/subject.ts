/** What the self-test checks: something that is computed from named arrays on the current backend, and what it should be. */

/** `y` for an output, `dX` for the gradient of an input `x`. */
export type Results = Readonly<Record<string, Float32Array>>

export type Precision = 'f16' | 'f32'

export interface Subject {
  readonly kernel: string
  /** In the letters of docs/notation.md */
  readonly sizes: string
  /** Left out where a processor plays GPU: it would take minutes to compile or to run */
  readonly costly?: boolean
  /** On the GPU. */
  readonly results: (precision: Precision) => Promise<Results>
  /** What they should be; runs on device `cpu`, which the tests prove. */
  readonly expected: (precision: Precision) => Promise<Results>
}

export const gradientName = (input: string): string => `d${input[0].toUpperCase()}${input.slice(1)}`

/** Of a name in Results. */
export const isGradient = (name: string): boolean => /^d[A-Z]/.test(name)
