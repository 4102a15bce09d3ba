/** The SSD scan on the GPU: what each launch of its shaders reads and writes. */
import * as tf from '@tensorflow/tfjs-core'
import {type OutputSpec, type ShaderHost, type StridedInput} from '../../backend/gpu/launch.js'
import {type GpuDefinition, type Inputs, type Settings, toTensors} from '../operation.js'
import {WIDE} from '../wide.js'
import {ssdChunkGradientsShader, type SsdWanted} from './ssd-chunk-gradients.wgsl.js'
import {ssdMatrixGradientGrid, ssdMatrixGradientShader} from './ssd-matrix-gradients.wgsl.js'
import {ssdChunksGrid, ssdOutputsShader} from './ssd-outputs.wgsl.js'
import {chunksOf, planSsd, type SsdForm, type SsdPlan} from './ssd-plan.js'
import {MOST_STEPS, ssdRecurrentGrid, ssdRecurrentShader} from './ssd-recurrent.wgsl.js'
import {stepNumbers} from './ssd-sequences.wgsl.js'
import {type SsdGradientForm, ssdStateGradientsShader} from './ssd-state-gradients.wgsl.js'
import {ssdStatesGrid, ssdStatesShader} from './ssd-states.wgsl.js'

/** One application of the scan. */
interface Scan {
  readonly inputs: Inputs
  readonly host: ShaderHost
  readonly form: SsdForm
  readonly plan: SsdPlan
  readonly batch: number
  readonly chunks: number
  /** SSD_PARAMETERS */
  readonly whole: readonly number[]
}

const placesOf = (places: readonly {readonly offset: number; readonly stride: number}[]): number[] =>
  places.flatMap(({offset, stride}) => [offset, stride])

function scanOf(inputs: Inputs, {groups, heads, high, low}: Settings, host: ShaderHost): Scan {
  const {b, c, delta, h0, positions, x} = inputs as Partial<Inputs> & Inputs
  const [batch, length = 0, channels = 0] = x.shape
  const size = channels / Number(heads)
  const places = [x, delta, b, c].map((tensor) => host.rowsOf(tensor))
  const states = (b.shape[2] ?? 0) / Number(groups)
  const form = {
    b: host.formatOf(b),
    c: host.formatOf(c),
    delta: host.formatOf(delta),
    groups: Number(groups),
    h0: h0 ? host.formatOf(h0) : null,
    heads: Number(heads),
    high: Number(high),
    low: Number(low),
    size,
    states,
    stored: channels % 8 === 0 && size % 4 === 0 ? host.precision : 'f32',
    x: host.formatOf(x),
    ...(positions && ({packed: true} as const)),
  }
  const plan = planSsd(form, host.facts)
  const whole = [length, ...placesOf(places)]
  const aligned = [size, states, ...placesOf([places[0], places[2], places[3]])].every((count) => count % 8 === 0)
  const eights = aligned && plan.blocks.eachPair !== null
  return {batch, chunks: chunksOf(length, plan), form: {...form, eights}, host, inputs, plan, whole}
}

const strided = (tensor: tf.Tensor): StridedInput => ({strided: true, tensor})
const f32 = (shape: readonly number[]): OutputSpec => ({format: 'f32', shape})

/** For shaders behind the states, which are not compiled anew for ends that they do not see: a first state only within rows. */
const withoutEnds = <Form extends SsdForm>(form: Form): Form => ({
  ...form,
  dLast: null,
  h0: form.packed ? form.h0 : null,
})

/** What rows of several sequences are read with: by the shaders of states, and by those behind them. */
const positionsOf = ({positions}: Partial<Inputs>): tf.Tensor[] => (positions ? [positions] : [])
const firstOf = ({h0, positions}: Partial<Inputs>): tf.Tensor[] => (h0 && positions ? [h0] : [])

const keptShape = ({batch, chunks, form: {heads, size, states}}: Scan): number[] => [batch, chunks, heads, size, states]
const stateShape = ({batch, form: {heads, size, states}}: Scan): number[] => [batch, heads, size, states]

/** What the backward pass needs besides the inputs, and the last state. */
interface Chunked<T> {
  readonly states: T // (B, chunks, H, P, N)
  readonly steps: T // (B, H, chunks · Q, 2)
  readonly last: T // (B, H, P, N)
}

function launchStates(scan: Scan): Chunked<tf.TensorInfo> {
  const {batch, chunks, form, host, inputs, plan, whole} = scan
  const {a, b, delta, h0, x} = inputs as Partial<Inputs> & Inputs
  const kept = {format: plan.kept, shape: keptShape(scan)}
  const [states, steps, last] = host.launch({
    grid: ssdStatesGrid(form, plan, batch),
    inputs: [strided(x), strided(delta), a, strided(b), ...(h0 ? [h0] : []), ...positionsOf(inputs)],
    operations: 2 * batch * chunks * plan.chunk * form.heads * form.size * form.states,
    outputs: [kept, f32([batch, form.heads, chunks * plan.chunk, stepNumbers(form)]), f32(stateShape(scan))],
    shader: ssdStatesShader(form, host.facts),
    whole,
  })
  return {last, states, steps}
}

function launchOutputs(scan: Scan, {states, steps}: Chunked<tf.TensorInfo>): tf.TensorInfo {
  const {batch, chunks, form, host, inputs, plan, whole} = scan
  const {b, c, d, x} = inputs
  const [y] = host.launch({
    grid: ssdChunksGrid(form, plan, chunks, batch),
    inputs: [strided(x), strided(b), strided(c), d, states, steps, ...firstOf(inputs)],
    operations: 2 * batch * chunks * plan.chunk * form.heads * form.size * (form.states + plan.chunk),
    outputs: [{format: form.stored, shape: x.shape}],
    shader: ssdOutputsShader(withoutEnds(form), host.facts),
    whole,
  })
  return y
}

/** y and the last state of a few steps. */
function recurrent(scan: Scan): tf.TensorInfo[] {
  const {batch, form, host, inputs, whole} = scan
  const {a, b, c, d, delta, h0, x} = inputs as Partial<Inputs> & Inputs
  return host.launch({
    grid: ssdRecurrentGrid(form, batch),
    inputs: [strided(x), strided(delta), a, strided(b), strided(c), d, ...(h0 ? [h0] : []), ...positionsOf(inputs)],
    outputs: [{format: form.stored, shape: x.shape}, f32(stateShape(scan))],
    shader: ssdRecurrentShader(form, host.facts),
    whole,
  })
}

/** The states of wide models are made by a second forward sweep: see wide.ts. */
const keepsStates = ({form: {heads, size}}: Scan): boolean => heads * size < WIDE

/** A backward pass: the scan, what its forward pass made, and the gradients of y and of the last state. */
interface Backward extends Scan {
  readonly form: SsdGradientForm
  readonly made: Omit<Chunked<tf.Tensor>, 'last'>
  readonly dy: tf.Tensor
  readonly dLast: tf.Tensor | null
}

function backwardOf(scan: Scan, dys: readonly (tf.Tensor | null)[], saved: readonly tf.Tensor[]): Backward {
  const {host, inputs} = scan
  const dy = dys[0] ?? tf.zerosLike(inputs.x) // (B, L, E)
  const dLast = dys[1]
  const form = {...scan.form, dLast: dLast && host.formatOf(dLast), dy: host.formatOf(dy)}
  if (saved.length > 0) return {...scan, dLast, dy, form, made: {states: saved[0], steps: saved[1]}}
  const made = launchStates(scan)
  const [states, steps, last] = toTensors([made.states, made.steps, made.last])
  last.dispose()
  return {...scan, dLast, dy, form, made: {states, steps}}
}

interface StateGradients {
  readonly dStates: tf.Tensor // (B, chunks, H, P, N)
  readonly through: tf.Tensor // (B, chunks, H, blocks)
  readonly dH0: tf.Tensor | undefined // (B, H, P, N)
}

function stateGradients(backward: Backward): StateGradients {
  const {batch, chunks, dLast, dy, form, host, inputs, made, plan, whole} = backward
  const [dStates, through, dH0] = toTensors(
    host.launch({
      grid: ssdStatesGrid(form, plan, batch),
      inputs: [strided(inputs.c), dy, made.states, made.steps, ...(dLast ? [dLast] : []), ...firstOf(inputs)],
      operations: 2 * batch * chunks * plan.chunk * form.heads * form.size * form.states,
      outputs: [
        {format: plan.kept, shape: keptShape(backward)},
        f32([batch, chunks, form.heads, plan.down * plan.across]),
        ...(form.h0 ? [f32(stateShape(backward))] : []),
      ],
      shader: ssdStateGradientsShader(form, host.facts),
      whole,
    }),
  ) as [tf.Tensor, tf.Tensor, tf.Tensor | undefined]
  return {dH0, dStates, through}
}

/** dX, dDelta and M for `inputs`, the sums behind dA and dD for `parameters` */
function chunkGradients(
  backward: Backward,
  {dStates, through}: StateGradients,
  wanted: SsdWanted,
  outputs: readonly OutputSpec[],
): tf.Tensor[] {
  const {batch, chunks, dy, form, host, inputs, made, plan, whole} = backward
  const {a, b, c, d, delta, x} = inputs
  const read = [strided(x), strided(b), strided(c), dy, made.states, dStates, made.steps, through, ...firstOf(inputs)]
  return toTensors(
    host.launch({
      grid: ssdChunksGrid(form, plan, chunks, batch),
      inputs: wanted === 'inputs' ? [...read, strided(delta), a, d] : read,
      operations: 4 * batch * chunks * plan.chunk * form.heads * form.size * (form.states + plan.chunk),
      outputs,
      shader: ssdChunkGradientsShader(withoutEnds(form), wanted, host.facts),
      whole,
    }),
  )
}

function inputGradients(backward: Backward, of: StateGradients): {dX: tf.Tensor; dDelta: tf.Tensor; m: tf.Tensor} {
  const {batch, chunks, form, inputs, plan} = backward
  const [dX, dDelta, m] = chunkGradients(backward, of, 'inputs', [
    {beside: inputs.x, format: form.stored, shape: inputs.x.shape},
    f32(inputs.delta.shape),
    f32([batch, chunks, form.heads / plan.together, plan.chunk, plan.chunk]),
  ])
  return {dDelta, dX, m}
}

/** dA (H) and dD (H). Asked for apart, because few methods train them. */
function parameterGradients(backward: Backward, of: StateGradients): {a: tf.Tensor; d: tf.Tensor} {
  const {batch, chunks, form} = backward
  const terms = [batch, chunks, form.heads]
  const [dA, dD] = chunkGradients(backward, of, 'parameters', [f32(terms), f32(terms)])
  return {a: tf.sum(dA, [0, 1]), d: tf.sum(dD, [0, 1])}
}

/** dB or dC (B, L, G·N) */
function matrixGradient(backward: Backward, of: 'b' | 'c', {dStates}: StateGradients, m: tf.Tensor): tf.Tensor {
  const {batch, chunks, dy, form, host, inputs, made, plan, whole} = backward
  const {b, c, x} = inputs
  const {groups, heads, size, states} = form
  const output = (groups * states) % 8 === 0 && states % 4 === 0 ? host.precision : 'f32'
  const matrixForm = {...withoutEnds(form), of, output} as const
  return toTensors(
    host.launch({
      grid: ssdMatrixGradientGrid(matrixForm, plan, chunks, batch),
      inputs:
        of === 'b'
          ? [strided(x), strided(c), dStates, made.steps, m]
          : [dy, strided(b), made.states, made.steps, m, ...firstOf(inputs)],
      operations: 2 * batch * chunks * plan.chunk * states * (heads * size + groups * plan.chunk),
      outputs: [{beside: inputs[of], format: output, shape: b.shape}],
      shader: ssdMatrixGradientShader(matrixForm, host.facts),
      whole,
    }),
  )[0]
}

export const ssdScanOnGpu: GpuDefinition = {
  gradient(dys, inputs, settings, host, saved) {
    const backward = backwardOf(scanOf(inputs, settings, host), dys, saved)
    const ofStates = stateGradients(backward)
    const {dDelta, dX, m} = inputGradients(backward, ofStates)
    const {dH0 = dX} = ofStates
    return {
      a: () => parameterGradients(backward, ofStates).a, // (H)
      b: () => matrixGradient(backward, 'b', ofStates, m), // (B, L, G·N)
      c: () => matrixGradient(backward, 'c', ofStates, m), // (B, L, G·N)
      d: () => parameterGradients(backward, ofStates).d, // (H)
      delta: () => dDelta, // (B, L, H)
      h0: () => dH0, // (B, H, P, N)
      x: () => dX, // (B, L, E)
    }
  },
  value(inputs, {recording, settings}, host) {
    const scan = scanOf(inputs, settings, host)
    const stepByStep = settings.stepByStep ?? scan.whole[0] <= MOST_STEPS
    if (!recording && stepByStep) return {outputs: recurrent(scan)}
    const made = launchStates(scan)
    const y = launchOutputs(scan, made)
    const {last, states, steps} = made
    if (recording && keepsStates(scan)) return {outputs: [y, last], saved: [states, steps]}
    tf.dispose(toTensors([states, steps]))
    return {outputs: [y, last]}
  },
}
