/** Every shader of the program, in every variant that formats, sizes and devices make of it. */
import {copyRows} from '../../src/backend/gpu/copy-rows.wgsl.js'
import * as elementwise from '../../src/backend/gpu/kernels/elementwise.wgsl.js'
import {plainProduct} from '../../src/backend/gpu/kernels/matmul.wgsl.js'
import {move} from '../../src/backend/gpu/kernels/movement.wgsl.js'
import {reduceLong, reduceShort} from '../../src/backend/gpu/kernels/reduce.wgsl.js'
import {randomUniform} from '../../src/backend/gpu/random.wgsl.js'
import {widen} from '../../src/backend/gpu/widen.wgsl.js'
import * as adamw from '../../src/ops/adamw/adamw.wgsl.js'
import {embeddingGradientShader} from '../../src/ops/embedding/embedding.wgsl.js'
import * as gated from '../../src/ops/gated-rms-norm/gated-rms-norm.wgsl.js'
import {gatherRowsShader} from '../../src/ops/gather-rows.wgsl.js'
import {joinColumns} from '../../src/ops/join-columns.wgsl.js'
import {placeColumns} from '../../src/ops/place-columns.wgsl.js'
import * as loss from '../../src/ops/linear-cross-entropy/linear-cross-entropy.wgsl.js'
import {mostProbableShader} from '../../src/ops/most-probable/most-probable.wgsl.js'
import * as norm from '../../src/ops/rms-norm/rms-norm.wgsl.js'
import {GAIN_SHADERS} from './gain-shaders.js'
import {PRODUCT_SHADERS} from './product-shaders.js'
import {SEQUENCE_SHADERS} from './sequence-shaders.js'
import {SSD_SHADERS} from './ssd-shaders.js'
import {
  COLUMNS,
  combine,
  constant,
  type Entry,
  everywhere,
  fitted,
  FLOATS,
  formatsOf,
  overColumns,
  pairwise,
} from './shader-variants.js'

const GENERIC: readonly Entry[] = [
  everywhere(
    elementwise.unary,
    combine({format: FLOATS, name: Object.keys(elementwise.UNARY) as elementwise.UnaryName[]}).map(({format, name}) => [
      name,
      format,
      format,
    ]),
  ),
  ...(['binarySame', 'binaryBroadcast'] as const).map((kind) =>
    everywhere(
      elementwise[kind],
      combine({
        left: FLOATS,
        name: Object.keys(elementwise.BINARY) as elementwise.BinaryName[],
        right: FLOATS,
        to: FLOATS,
      }).map(({left, name, right, to}): [elementwise.BinaryName, 'f16' | 'f32', 'f16' | 'f32', 'f16' | 'f32'] => [
        name,
        left,
        right,
        to,
      ]),
    ),
  ),
  everywhere(elementwise.fill, [['f32'], ['i32']]),
  everywhere(elementwise.cast, [
    ['f32', 'i32'],
    ['f16', 'i32'],
    ['i32', 'f32'],
  ]),
  everywhere(
    plainProduct,
    combine({
      left: FLOATS,
      right: FLOATS,
      transposeLeft: [true, false],
      transposeRight: [true, false],
    }).map((product) => [product]),
  ),
  everywhere(move, [
    ['f32', 'f32'],
    ['f16', 'f32'],
    ['i32', 'i32'],
  ]),
  ...[reduceShort, reduceLong].map((reduce) =>
    everywhere(
      reduce,
      combine({from: FLOATS, reduction: ['Sum', 'Max']}).map(({from, reduction}) => [reduction, from]),
    ),
  ),
  everywhere(
    copyRows,
    combine({from: FLOATS, to: FLOATS, wide: [true, false]}).map((copy) => [copy]),
  ),
  everywhere(
    widen,
    combine({from: ['bf16', 'f16', 'f32'], to: FLOATS}).map(({from, to}) => [from, to]),
  ),
  everywhere(randomUniform, [['f16'], ['f32']]),
]

const ROWS: readonly Entry[] = [
  everywhere(
    embeddingGradientShader,
    overColumns((columns, formats) => formats.map((format): [number, 'f16' | 'f32'] => [columns, format])),
  ),
  everywhere(
    gatherRowsShader,
    overColumns((columns, formats) =>
      combine({columns: [columns], out: formats, table: formats, windowed: [false, true]}).map((one) => [one]),
    ),
  ),
  everywhere(
    joinColumns,
    combine({format: FLOATS, to: FLOATS, widths: [[48, 16, 16], [1536, 1536], [8], [4, 12], [3, 6, 1, 2]]})
      .filter(({format, widths}) => format === 'f32' || widths.every((width) => width % 8 === 0))
      .map(({format, to, widths}) => [{formats: widths.map(() => format), to, widths}]),
  ),
  everywhere(
    placeColumns,
    combine({columns: [24, 66], from: FLOATS, to: FLOATS}).map((place) => [place]),
  ),
  ...GAIN_SHADERS,
  everywhere(mostProbableShader, [['f32'], ['f16']]),
  fitted(loss.rowLossShader, (facts) =>
    [1, 37, 100, 50_280]
      .flatMap((vocabulary) => combine({gradient: [null, ...formatsOf(vocabulary)], vocabulary: [vocabulary]}))
      .map((form) => [form, facts]),
  ),
  everywhere(loss.lossSumShader, [[true], [false]]),
  everywhere(
    loss.spreadRowsShader,
    COLUMNS.map((columns) => [columns]),
  ),
  everywhere(
    adamw.accumulateShader,
    Array.from({length: adamw.GRADIENTS_AT_ONCE}, (_, index) => [index + 1]),
  ),
  ...[adamw.squaresShader, adamw.normShader, adamw.tensorNormsShader, adamw.stepShader, adamw.ratedStepShader].map(
    constant,
  ),
]

const NORMS: readonly Entry[] = [
  everywhere(
    norm.normForwardShader,
    overColumns((columns, formats) =>
      combine({
        columns: [columns],
        normed: formats,
        update: [null, ...formats],
        weight: [true, false],
        x: formats,
      }).map((form) => [form]),
    ),
  ),
  everywhere(
    norm.normBackwardShader,
    overColumns((columns, formats) =>
      pairwise({
        columns: [columns],
        dNormed: formats,
        dSum: [null, ...formats],
        dUpdate: [null, ...formats],
        dX: formats,
        weight: [true, false],
        x: formats,
      }).map((form) => [form]),
    ),
  ),
  everywhere(
    norm.normWeightShader,
    overColumns((columns, formats) =>
      combine({dNormed: formats, x: formats}).map(({dNormed, x}): [number, typeof x, typeof x] => [
        columns,
        x,
        dNormed,
      ]),
    ),
  ),
]

const GATED_NORMS: readonly Entry[] = [
  everywhere(
    gated.gatedNormForwardShader,
    overColumns((columns, formats) =>
      combine({x: formats, y: formats, z: formats}).map(({x, y, z}): [gated.GatedNormForm, typeof y] => [
        {columns, x, z},
        y,
      ]),
    ),
  ),
  everywhere(
    gated.gatedNormBackwardShader,
    overColumns((columns, formats) =>
      pairwise({columns: [columns], dy: formats, stored: formats, x: formats, z: formats}).map((form) => [form]),
    ),
  ),
  everywhere(
    gated.gatedNormWeightShader,
    overColumns((columns, formats) =>
      combine({dy: formats, x: formats, z: formats}).map(({dy, x, z}): [gated.GatedNormForm, typeof dy] => [
        {columns, x, z},
        dy,
      ]),
    ),
  ),
]

export const EVERY_SHADER: readonly Entry[] = [
  ...GENERIC,
  ...ROWS,
  ...NORMS,
  ...GATED_NORMS,
  ...SEQUENCE_SHADERS,
  ...PRODUCT_SHADERS,
  ...SSD_SHADERS,
]
