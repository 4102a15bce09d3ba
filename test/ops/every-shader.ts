/** Every shader of the program, in every variant that formats, sizes and devices make of it. */
import {copyRows} from '../../src/backend/gpu/copy-rows.wgsl.js'
import * as elementwise from '../../src/backend/gpu/kernels/elementwise.wgsl.js'
import {plainProduct} from '../../src/backend/gpu/kernels/matmul.wgsl.js'
import {move} from '../../src/backend/gpu/kernels/movement.wgsl.js'
import {reduceLong, reduceShort} from '../../src/backend/gpu/kernels/reduce.wgsl.js'
import {randomUniform} from '../../src/backend/gpu/random.wgsl.js'
import {widen} from '../../src/backend/gpu/widen.wgsl.js'
import * as adamw from '../../src/ops/adamw/adamw.wgsl.js'
import * as conv from '../../src/ops/causal-conv/causal-conv.wgsl.js'
import {convWindowShader} from '../../src/ops/causal-conv/conv-window.wgsl.js'
import {type ConvForm} from '../../src/ops/causal-conv/conv-code.wgsl.js'
import {embeddingGradientShader} from '../../src/ops/embedding/embedding.wgsl.js'
import * as gated from '../../src/ops/gated-rms-norm/gated-rms-norm.wgsl.js'
import {gatherRowsShader} from '../../src/ops/gather-rows.wgsl.js'
import {joinColumns} from '../../src/ops/join-columns.wgsl.js'
import * as loss from '../../src/ops/linear-cross-entropy/linear-cross-entropy.wgsl.js'
import {mostProbableShader} from '../../src/ops/most-probable/most-probable.wgsl.js'
import * as norm from '../../src/ops/rms-norm/rms-norm.wgsl.js'
import {scanCarriesShader} from '../../src/ops/selective-scan/scan-carries.wgsl.js'
import {type ScanForm} from '../../src/ops/selective-scan/scan-form.wgsl.js'
import {scanMatrixSumsShader} from '../../src/ops/selective-scan/scan-matrix-sums.wgsl.js'
import {scanBackwardShader} from '../../src/ops/selective-scan/selective-scan-backward.wgsl.js'
import {scanForwardShader} from '../../src/ops/selective-scan/selective-scan-forward.wgsl.js'
import {PRODUCT_SHADERS} from './product-shaders.js'
import {SSD_SHADERS} from './ssd-shaders.js'
import {combine, constant, type Entry, everywhere, fitted, FLOATS, formatsOf, pairwise} from './shader-variants.js'

/** Columns that fill vectors of eight, of four, and none. */
const COLUMNS = [1, 37, 100, 768] as const

/** Variants of a shader over rows; `made` has every choice of formats that the number of columns allows. */
function overColumns<Variant>(made: (columns: number, formats: readonly ('f16' | 'f32')[]) => Variant[]): Variant[] {
  return COLUMNS.flatMap((columns) => made(columns, formatsOf(columns)))
}

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
    overColumns((columns, formats) => combine({columns: [columns], out: formats, table: formats}).map((one) => [one])),
  ),
  everywhere(
    joinColumns,
    combine({format: FLOATS, to: FLOATS, widths: [[48, 16, 16], [1536, 1536], [8], [4, 12], [3, 6, 1, 2]]})
      .filter(({format, widths}) => format === 'f32' || widths.every((width) => width % 8 === 0))
      .map(({format, to, widths}) => [{formats: widths.map(() => format), to, widths}]),
  ),
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
  ...[adamw.squaresShader, adamw.normShader, adamw.stepShader].map(constant),
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

const convForms: readonly ConvForm[] = overColumns((channels, formats) =>
  pairwise({
    bias: [true, false],
    channels: [channels],
    packed: [true, undefined],
    width: [2, 3, 4],
    window: [true, false],
    x: formats,
  }).map(({packed, ...form}) => ({...form, ...(packed && {packed})})),
)

const CONVOLUTIONS: readonly Entry[] = [
  everywhere(
    conv.convForwardShader,
    convForms.flatMap((form) => formatsOf(form.channels).map((y): [ConvForm, typeof y] => [form, y])),
  ),
  everywhere(
    conv.convBackwardShader,
    convForms.flatMap((form) => {
      const formats = formatsOf(form.channels)
      const dy = [...formats.map((one) => [one]), ...combine({left: formats, right: formats}).map(Object.values)]
      return pairwise({dLast: [null, ...formats], dX: formats, dy}).map((more): [conv.ConvGradientForm] => [
        {...form, ...more},
      ])
    }),
  ),
  everywhere(
    conv.convWeightShader,
    convForms.flatMap((form) => formatsOf(form.channels).map((dy): [ConvForm, typeof dy] => [form, dy])),
  ),
  everywhere(
    convWindowShader,
    convForms
      .filter(({packed, window}) => packed && window)
      .flatMap((form) =>
        combine({dLast: [null, 'f32'], dy: formatsOf(form.channels)}).map(
          ({dLast, dy}): [ConvForm, typeof dy, typeof dLast] => [form, dy, dLast],
        ),
      ),
  ),
]

interface ScanVariant {
  readonly form: ScanForm
  readonly recording: boolean
  readonly dLast: 'f32' | null
  readonly divided: boolean
  readonly wanted: 'inputs' | 'parameters'
}

/** Numbers of channels and states that fill lanes, and that do not; every two choices of the rest meet. */
const SCAN_SIZES = [
  {channels: 1, states: 1},
  {channels: 37, states: 5},
  {channels: 260, states: 64},
  {channels: 1536, states: 16},
]

const scanVariants: readonly ScanVariant[] = SCAN_SIZES.flatMap(({channels, states}) =>
  pairwise({
    batch: [1, 8],
    dLast: [null, 'f32'],
    divided: [true, false],
    format: formatsOf(channels),
    h0: [null, 'f32'],
    matrices: formatsOf(states),
    packed: [true, undefined],
    recording: [true, false],
    wanted: ['inputs', 'parameters'],
  }).map(({batch, dLast, divided, format, h0, matrices, packed, recording, wanted}) => ({
    dLast,
    divided,
    form: {
      b: matrices,
      batch,
      c: matrices,
      channels,
      delta: format,
      h0,
      states,
      stored: format,
      u: format,
      z: format,
      ...(packed && {packed}),
    },
    recording,
    wanted,
  })),
)

const SCANS: readonly Entry[] = [
  fitted(scanForwardShader, (facts) => scanVariants.map(({form, recording}) => [form, recording, facts])),
  fitted(scanBackwardShader, (facts) =>
    scanVariants.map(({dLast, divided, form, wanted}) => [{...form, dLast, divided, dy: form.stored, wanted}, facts]),
  ),
  fitted(scanCarriesShader, (facts) => scanVariants.map(({dLast, form}) => [{...form, dLast, dy: form.stored}, facts])),
  everywhere(
    scanMatrixSumsShader,
    combine({groups: [1, 24], states: [1, 5, 16, 64]}).map(({groups, states}) => [
      groups,
      states,
      2 ** Math.ceil(Math.log2(states / 4 < 1 ? 1 : states / 4)),
    ]),
  ),
]

export const EVERY_SHADER: readonly Entry[] = [
  ...GENERIC,
  ...ROWS,
  ...NORMS,
  ...GATED_NORMS,
  ...CONVOLUTIONS,
  ...SCANS,
  ...PRODUCT_SHADERS,
  ...SSD_SHADERS,
]
