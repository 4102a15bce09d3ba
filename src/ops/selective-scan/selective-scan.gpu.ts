/** The selective scan on the GPU: what each launch of its shaders reads and writes. */
import * as tf from '@tensorflow/tfjs-core'
import {type OutputSpec, type ShaderHost, type StridedInput} from '../../backend/gpu/launch.js'
import {type GpuDefinition, type Inputs, toTensors} from '../operation.js'
import {WIDE} from '../wide.js'
import {type ScanCarriesForm, scanCarriesGrid, scanCarriesShader} from './scan-carries.wgsl.js'
import {type ScanForm} from './scan-form.wgsl.js'
import {scanMatrixSumsGrid, scanMatrixSumsShader} from './scan-matrix-sums.wgsl.js'
import {channelGroups, planScan, type ScanPlan, type ScanTuning, STATES_PER_LANE} from './scan-plan.js'
import {type ScanSegments, segmentsOf} from './scan-segments.js'
import {scanBackwardGrid, scanBackwardShader, type ScanGradientForm} from './selective-scan-backward.wgsl.js'
import {scanForwardGrid, scanForwardShader} from './selective-scan-forward.wgsl.js'

/** One application of the scan. */
interface Scan {
  readonly inputs: Inputs
  readonly host: ShaderHost
  readonly tuning: ScanTuning | undefined
}

function formOf({host, inputs}: Scan): ScanForm {
  const {a, b, c, delta, h0, positions, u, z} = inputs as Partial<Inputs> & Inputs
  const [batch, , channels] = u.shape
  return {
    b: host.formatOf(b),
    batch,
    c: host.formatOf(c),
    channels,
    delta: host.formatOf(delta),
    h0: h0 ? host.formatOf(h0) : null,
    states: a.shape[1] ?? 0,
    stored: channels % 8 === 0 ? host.precision : 'f32',
    u: host.formatOf(u),
    z: host.formatOf(z),
    ...(positions && {packed: true}),
  }
}

/** The inputs that both shaders begin with. */
function read({a, b, c, d, delta, u, z}: Inputs): (tf.TensorInfo | StridedInput)[] {
  const strided = (tensor: tf.Tensor): StridedInput => ({strided: true, tensor})
  return [u, delta, strided(b), strided(c), strided(z), a, d]
}

/** The input that shaders read last. */
const positionsOf = ({positions}: Partial<Inputs>): tf.Tensor[] => (positions ? [positions] : [])

/** SCAN_PARAMETERS. */
function parametersOf({host, inputs: {b, c, u, z}}: Scan): number[] {
  const places = [b, c, z].map((tensor) => host.rowsOf(tensor))
  return [u.shape[1] ?? 0, ...places.flatMap(({offset, stride}) => [offset, stride])]
}

const f32 = (shape: readonly number[]): OutputSpec => ({format: 'f32', shape})

/** States that the forward pass keeps: (B, intervals, E, states with those that fill up a lane). */
function checkpointShape(length: number, batch: number, {channels, interval, stateLanes}: ScanPlan): number[] {
  return [batch, Math.ceil(length / interval), channels, stateLanes * STATES_PER_LANE]
}

/** Gradients of y and of the last state; null where nothing used it. */
type Dys = readonly (tf.Tensor | null)[]

/** The segments of the backward pass. */
function dividedInto({host, inputs, tuning}: Scan, form: ScanForm): ScanSegments {
  const plan = planScan('backward', form, host.facts, tuning)
  return segmentsOf({batch: form.batch, length: inputs.u.shape[1] ?? 0}, plan, host.facts, tuning)
}

/** What segments hand back: (2 S − 1, B, E, N). */
function launchCarries(
  scan: Scan,
  form: ScanCarriesForm,
  {count, intervals}: ScanSegments,
  dy: tf.Tensor,
  dLast: tf.Tensor | null,
): tf.Tensor {
  const {host, inputs, tuning} = scan
  const strided = (tensor: tf.Tensor): StridedInput => ({strided: true, tensor})
  const {a, c, delta, z} = inputs
  const [carries] = toTensors(
    host.launch({
      grid: scanCarriesGrid(form, count, host.facts, tuning),
      inputs: [delta, strided(c), strided(z), a, dy, ...(dLast ? [dLast] : []), ...positionsOf(inputs)],
      outputs: [f32([2 * count - 1, form.batch, form.channels, form.states])],
      shader: scanCarriesShader(form, host.facts, tuning),
      whole: [...parametersOf(scan), intervals],
    }),
  )
  return carries
}

/** A launch of the backward shader for some of the gradients, after one for the carries where steps are divided. */
function launchBackward(
  scan: Scan,
  [dY, dLast]: Dys,
  checkpoints: tf.Tensor,
  wanted: ScanGradientForm['wanted'],
  outputs: readonly OutputSpec[],
): tf.Tensor[] {
  const {host, inputs, tuning} = scan
  const dy = dY ?? tf.zerosLike(inputs.u) // (B, L, E)
  const carriesForm = {...formOf(scan), dLast: dLast && host.formatOf(dLast), dy: host.formatOf(dy)}
  const segments = dividedInto(scan, carriesForm)
  const divided = segments.count > 1
  const form = {...carriesForm, divided, wanted}
  const behind = divided ? launchCarries(scan, carriesForm, segments, dy, dLast) : dLast
  const gradients = toTensors(
    host.launch({
      grid: scanBackwardGrid(form, segments.count, host.facts, tuning),
      inputs: [...read(inputs), checkpoints, dy, ...(behind ? [behind] : []), ...positionsOf(inputs)],
      outputs,
      shader: scanBackwardShader(form, host.facts, tuning),
      whole: [...parametersOf(scan), ...(divided ? [segments.intervals] : [])],
    }),
  )
  if (divided) behind?.dispose()
  return gradients
}

/** dU, dDelta, dZ, dB, dC and dH0, if there is an h0. */
function inputGradients(scan: Scan, dys: Dys, checkpoints: tf.Tensor): Record<string, tf.Tensor> {
  const {host, inputs, tuning} = scan
  const form = formOf(scan)
  const plan = planScan('backward', form, host.facts, tuning)
  const {b, h0, positions, u, z} = inputs as Partial<Inputs> & Inputs
  const groups = channelGroups(plan)
  const rows = b.size / form.states
  const segments = dividedInto(scan, form).count
  const change: OutputSpec = {format: form.stored, shape: u.shape}
  const partial = f32([groups, rows, 2 * plan.stateLanes * STATES_PER_LANE])
  const outputs = [
    change,
    change,
    {...change, beside: z},
    partial,
    ...(h0 ? [f32(positions ? [segments, ...h0.shape] : h0.shape)] : []),
  ]
  const [dU, dDelta, dZ, partials, dH0] = launchBackward(scan, dys, checkpoints, 'inputs', outputs)
  const [dB, dC] = toTensors(
    host.launch({
      grid: scanMatrixSumsGrid(rows, plan.stateLanes),
      inputs: [partials],
      outputs: [f32(b.shape), f32(b.shape)],
      shader: scanMatrixSumsShader(groups, form.states, plan.stateLanes),
      whole: [rows],
    }),
  )
  partials.dispose()
  if (!h0 || !positions) return {dB, dC, dDelta, dH0, dU, dZ}
  const ofSegments = tf.sum(dH0, 0) // (B, E, N)
  dH0.dispose()
  return {dB, dC, dDelta, dH0: ofSegments, dU, dZ}
}

/** dA (E, N) and dD (E). Asked for apart, because few methods train them and their sums cost registers. */
function parameterGradients(scan: Scan, dys: Dys, checkpoints: tf.Tensor): {a: tf.Tensor; d: tf.Tensor} {
  const {a, d, u} = scan.inputs
  const rows = dividedInto(scan, formOf(scan)).count * u.shape[0]
  const outputs = [f32([rows, ...a.shape]), f32([rows, ...d.shape])]
  const [dA, dD] = launchBackward(scan, dys, checkpoints, 'parameters', outputs)
  return {a: tf.sum(dA, 0), d: tf.sum(dD, 0)}
}

/** y, the last state and, if wanted, the states that the gradient begins its intervals with. */
function forward(scan: Scan, checkpoints: boolean): tf.TensorInfo[] {
  const {host, inputs, tuning} = scan
  const form = formOf(scan)
  const {u} = inputs
  const [batch, length, channels] = u.shape
  const kept = f32(checkpointShape(length ?? 0, batch, planScan('forward', form, host.facts, tuning)))
  return host.launch({
    grid: scanForwardGrid(form, host.facts, tuning),
    inputs: [...read(inputs), ...('h0' in inputs ? [inputs.h0] : []), ...positionsOf(inputs)],
    outputs: [
      {format: form.stored, shape: u.shape},
      f32([batch, channels ?? 0, form.states]),
      ...(checkpoints ? [kept] : []),
    ],
    shader: scanForwardShader(form, checkpoints, host.facts, tuning),
    whole: parametersOf(scan),
  })
}

/** The checkpoints of wide models are made by a second forward pass: they are as large as four activations. */
const keepsCheckpoints = ({u}: Inputs): boolean => (u.shape[2] ?? 0) < WIDE

function checkpointsOnceMore(scan: Scan): tf.Tensor {
  const [y, last, checkpoints] = toTensors(forward(scan, true))
  tf.dispose([y, last])
  return checkpoints
}

/** The scan, divided as the device wants it or as `tuning` says. */
export function scanDivided(tuning?: ScanTuning): GpuDefinition {
  return {
    gradient(dys, inputs, _settings, host, [kept]) {
      const scan = {host, inputs, tuning}
      const checkpoints = kept ?? checkpointsOnceMore(scan)
      const {dB, dC, dDelta, dH0, dU, dZ} = inputGradients(scan, dys, checkpoints)
      if (!kept) checkpoints.dispose()
      const ofParameters = (): {a: tf.Tensor; d: tf.Tensor} =>
        parameterGradients(scan, dys, kept ?? checkpointsOnceMore(scan))
      return {
        a: () => ofParameters().a, // (E, N)
        b: () => dB, // (B, L, N)
        c: () => dC, // (B, L, N)
        d: () => ofParameters().d, // (E)
        delta: () => dDelta, // (B, L, E)
        h0: () => dH0, // (B, E, N)
        u: () => dU, // (B, L, E)
        z: () => dZ, // (B, L, E)
      }
    },
    value(inputs, {recording}, host) {
      const [y, last, ...saved] = forward({host, inputs, tuning}, recording && keepsCheckpoints(inputs))
      return {outputs: [y, last], saved}
    },
  }
}

export const scanOnGpu = scanDivided()
