/** The shaders of columns times gains, in every variant. */
import {columnGainBackwardShader, columnGainShader} from '../../src/ops/column-gain/column-gain.wgsl.js'
import {combine, type Entry, everywhere, formatsOf} from './shader-variants.js'

const COLUMNS = [1, 37, 100, 768] as const

export const GAIN_SHADERS: readonly Entry[] = [
  everywhere(
    columnGainShader,
    COLUMNS.flatMap((columns) => formatsOf(columns).map((format): [number, 'f16' | 'f32'] => [columns, format])),
  ),
  everywhere(
    columnGainBackwardShader,
    COLUMNS.flatMap((columns) => combine({columns: [columns], dy: formatsOf(columns), z: formatsOf(columns)})).map(
      (form) => [form],
    ),
  ),
]
