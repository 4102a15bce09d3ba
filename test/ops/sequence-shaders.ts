/** The shaders of the convolution and of the selective scan, in every variant: a part of every-shader.ts. */
import * as conv from '../../src/ops/causal-conv/causal-conv.wgsl.js'
import {convWindowShader} from '../../src/ops/causal-conv/conv-window.wgsl.js'
import {type ConvForm} from '../../src/ops/causal-conv/conv-code.wgsl.js'
import {scanCarriesShader} from '../../src/ops/selective-scan/scan-carries.wgsl.js'
import {type ScanForm} from '../../src/ops/selective-scan/scan-form.wgsl.js'
import {scanMatrixSumsShader} from '../../src/ops/selective-scan/scan-matrix-sums.wgsl.js'
import {scanBackwardShader} from '../../src/ops/selective-scan/selective-scan-backward.wgsl.js'
import {scanForwardShader} from '../../src/ops/selective-scan/selective-scan-forward.wgsl.js'
import {combine, type Entry, everywhere, fitted, formatsOf, overColumns, pairwise} from './shader-variants.js'

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

export const SEQUENCE_SHADERS: readonly Entry[] = [...CONVOLUTIONS, ...SCANS]
