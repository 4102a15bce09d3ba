/** The shaders of the SSD scan in every format, on plain blocks and on matrix units. */
import {ssdChunkGradientsShader, type SsdWanted} from '../../src/ops/ssd-scan/ssd-chunk-gradients.wgsl.js'
import {ssdMatrixGradientShader, type SsdMatrixForm} from '../../src/ops/ssd-scan/ssd-matrix-gradients.wgsl.js'
import {ssdOutputsShader} from '../../src/ops/ssd-scan/ssd-outputs.wgsl.js'
import {planSsd, type SsdForm} from '../../src/ops/ssd-scan/ssd-plan.js'
import {ssdRecurrentShader} from '../../src/ops/ssd-scan/ssd-recurrent.wgsl.js'
import {type SsdGradientForm, ssdStateGradientsShader} from '../../src/ops/ssd-scan/ssd-state-gradients.wgsl.js'
import {ssdStatesShader} from '../../src/ops/ssd-scan/ssd-states.wgsl.js'
import {type DeviceFacts} from '../../src/backend/gpu/shader.js'
import {type Entry, fitted, formatsOf, pairwise} from './shader-variants.js'

/** Sizes that fill blocks of 64 and of 32, that do not, and that fill no vector. */
const SIZES = [
  {groups: 1, heads: 24, size: 64, states: 128},
  {groups: 2, heads: 8, size: 32, states: 96},
  {groups: 2, heads: 4, size: 68, states: 12},
  {groups: 1, heads: 5, size: 5, states: 7},
]

/** What all devices are compiled for; every two choices meet. */
const FORMS: readonly SsdGradientForm[] = SIZES.flatMap((sizes) =>
  pairwise({
    dLast: [null, 'f32'],
    eights: sizes.size % 8 === 0 && sizes.states % 8 === 0 ? [true, false] : [false],
    format: formatsOf(sizes.size),
    h0: [null, 'f32'],
    limits: [
      {high: Infinity, low: 0},
      {high: 0.1, low: 0.001},
    ],
    matrices: formatsOf(sizes.states),
    packed: [true, undefined],
  }).map(({dLast, eights, format, h0, limits, matrices, packed}) => ({
    ...sizes,
    ...limits,
    b: matrices,
    c: matrices,
    dLast,
    delta: matrices,
    dy: format,
    eights,
    h0,
    stored: format,
    x: format,
    ...(packed && {packed}),
  })),
)

/** Eights are read only where blocks have them side by side. */
const formsFor = (facts: DeviceFacts): SsdGradientForm[] =>
  FORMS.filter((form) => !form.eights || planSsd(form, facts).blocks.eachPair !== null)

/** Devices with much and little workgroup memory, and with matrix units; the code depends on nothing else. */
const BLOCK_DEVICES = ['no subgroups', 'subgroups of 32', 'matrix units']

export const SSD_SHADERS: readonly Entry[] = [
  ...[ssdStatesShader, ssdOutputsShader, ssdRecurrentShader].map((shader) =>
    fitted(shader, (facts) => formsFor(facts).map((form): [SsdForm, DeviceFacts] => [form, facts]), BLOCK_DEVICES),
  ),
  fitted(ssdStateGradientsShader, (facts) => formsFor(facts).map((form) => [form, facts]), BLOCK_DEVICES),
  fitted(
    ssdChunkGradientsShader,
    (facts) =>
      formsFor(facts).flatMap((form) =>
        (['inputs', 'parameters'] as const).map((wanted): [SsdGradientForm, SsdWanted, DeviceFacts] => [
          form,
          wanted,
          facts,
        ]),
      ),
    BLOCK_DEVICES,
  ),
  fitted(
    ssdMatrixGradientShader,
    (facts) =>
      formsFor(facts).flatMap((form) =>
        (['b', 'c'] as const).map((of): [SsdMatrixForm, DeviceFacts] => [
          {...form, of, output: form.states % 8 === 0 ? form.stored : 'f32'},
          facts,
        ]),
      ),
    BLOCK_DEVICES,
  ),
]
