/**
 * A tile of the backward scan (equations: selective-scan-backward.wgsl.ts): forward through its steps with all h_t and a_t
 * in registers, then back, step by step, with the sums that each step adds to.
 */
import {bitsBetween, firstHolder, firstSum, laneSums} from './lane-sums.wgsl.js'
import {type ScanForm} from './scan-form.wgsl.js'
import {orderBits, type ScanPlan, STATES_PER_LANE, stepsTogether} from './scan-plan.js'
import {isFirst, stateBefore} from './scan-sequences.wgsl.js'
import {exchangeOf, fourPlaces, numberAt, putSums} from './scan-sums.wgsl.js'
import {range, storeFour} from './scan-tiles.wgsl.js'

/** Sums over states for each step: dx, dΔ without ln 2, v. */
export const KINDS = 3

/**
 * What is staged for each step and channel: Δ, Δ u and dv. The sums over states of a step take their places one for one,
 * when the lanes of the channel have read them for the last time: workgroup memory decides how many groups run at once.
 */
const STAGED = {drive: 1, dt: 0, upstream: 2} as const
const staged = (what: keyof typeof STAGED, step: string, p: number, plan: ScanPlan): string =>
  numberAt(STAGED[what], KINDS, step, p, plan)

/** Stages four channels of an item. */
export const stage = (what: keyof typeof STAGED, values: string, plan: ScanPlan): string =>
  `{ let at = ${fourPlaces(STAGED[what], KINDS, plan)}; ${storeFour('sums', 'at', values)} }`

/** What is computed: the gradients of what changes from step to step (and of h0), or those of A and D. */
export type Wanted = 'inputs' | 'parameters'

export interface WalkForm extends ScanForm {
  readonly wanted: Wanted
}

/** How a vec4 is turned by each order of the states of a lane; turned twice it is as it was. */
const ORDERS = ['xyzw', 'yxwz', 'zwxy', 'wzyx']

/** `order` of a lane, and `ordered`, which brings states into it or out of it: orderBits in scan-plan.ts. */
export const ORDERED = `fn ordered(states: vec4<f32>, order: u32) -> vec4<f32> {
  let pairs = select(states, states.${ORDERS[1]}, (order & 1u) != 0u);
  return select(pairs, pairs.${ORDERS[2]}, (order & 2u) != 0u);
}`
export const orderConstant = (plan: ScanPlan): string => `let order = channel_lane % ${2 ** orderBits(plan)}u;`

/**
 * B or C of a tile lies in workgroup memory once for each order, so that no lane has to turn what it reads: step, order,
 * state lane, so that neighbouring lanes read from other banks.
 */
export const matrixSize = (plan: ScanPlan): number => plan.tile * plan.stateLanes * 2 ** orderBits(plan)
export function storeMatrix(array: string, values: string, plan: ScanPlan): string {
  const orders = 2 ** orderBits(plan)
  const [lanes, at] = [
    plan.stateLanes,
    `item / ${plan.stateLanes}u * ${orders * plan.stateLanes}u + item % ${plan.stateLanes}u`,
  ]
  const stores = range(orders).map((order) => `${array}[${at} + ${order * lanes}u] = states.${ORDERS[order]};`)
  return `{ let states = ${values}; ${stores.join(' ')} }`
}
const matrixAt = (array: string, step: string, plan: ScanPlan): string =>
  `${array}[(${step}) * ${matrixSize(plan) / plan.tile}u + order * ${plan.stateLanes}u + state_lane]`

/** Through a tile whose gradients come later: only the state after it is wanted. */
export function sweepTile(form: ScanForm, plan: ScanPlan): string {
  const one = (p: number): string =>
    `h_${p} = exp2(${staged('dt', 't', p, plan)} * rate_${p}) * ${stateBefore(form, `h_${p}`, p, 't')} + ${staged('drive', 't', p, plan)} * b;`
  return `for (var t = 0u; t < ${plan.tile}u; t++) {
    let b = ${matrixAt('tile_b', 't', plan)};
    ${range(plan.channelsPerLane).map(one).join('\n')}
  }`
}

/**
 * Forward and back. The barrier between them is there to have B and the drives read again on the way back: kept in
 * registers, they would crowd out the states.
 */
export function walkBack(form: WalkForm, plan: ScanPlan): string {
  const steps = range(plan.tile)
  const names = steps.flatMap((t) =>
    range(plan.channelsPerLane).map((p) => `var a_${p}_${t}: vec4<f32>; var h_${p}_${t}: vec4<f32>;`),
  )
  const forth = steps.map((t) => `{ ${forward(t, form, plan)} }`)
  const back = steps.reverse().map((t) => backward(t, form, plan))
  return [...names, ...forth, 'workgroupBarrier();', ...back].join('\n')
}

const before = (t: number, p: number, form: ScanForm): string =>
  stateBefore(form, t === 0 ? `h_${p}` : `h_${p}_${t - 1}`, p, `${t}u`)

/** What is handed on to the step before: nothing where a sequence begins, whose first state gets it. */
function handOn(t: number, p: number, {h0, packed, wanted}: WalkForm): string {
  if (!packed) return ''
  const toBegin = h0 && wanted === 'inputs' ? `d_begin_${p} += carry_${p};` : ''
  return `if (${isFirst(`${t}u`)}) { ${toBegin} carry_${p} = vec4<f32>(); }`
}

function forward(t: number, form: ScanForm, plan: ScanPlan): string {
  const lines = range(plan.channelsPerLane).map(
    (p) => `a_${p}_${t} = exp2(${staged('dt', `${t}u`, p, plan)} * rate_${p});
      h_${p}_${t} = a_${p}_${t} * ${before(t, p, form)} + ${staged('drive', `${t}u`, p, plan)} * b;`,
  )
  return [`let b = ${matrixAt('tile_b', `${t}u`, plan)};`, ...lines].join('\n')
}

/** One step back: G_t, what it adds to the sums, and a_t G_t for the step before. */
function backward(t: number, form: WalkForm, plan: ScanPlan): string {
  const {wanted} = form
  const held = range(plan.channelsPerLane)
  const lines = held.map((p) => {
    const sums = `dx_${t}_${p} = dot(g, b_${t});
      dt_${t}_${p} = dot(decayed, rate_${p});
      v_${t}_${p} = dot(h_${p}_${t}, c_${t});
      db_${t} += g * ${staged('drive', `${t}u`, p, plan)};
      dc_${t} += h_${p}_${t} * dv;`
    return `{ let dv = ${staged('upstream', `${t}u`, p, plan)};
      let g = carry_${p} + c_${t} * dv;
      carry_${p} = a_${p}_${t} * g;
      let decayed = carry_${p} * ${before(t, p, form)};${handOn(t, p, form)}
      ${wanted === 'inputs' ? sums : `d_rate_${p} += decayed * ${staged('dt', `${t}u`, p, plan)};`} }`
  })
  const c = `let c_${t} = ${matrixAt('tile_c', `${t}u`, plan)};`
  if (wanted === 'parameters') return [c, ...lines].join('\n')
  const scalars = held.flatMap((p) => sumNames(t, p)).map((name) => `var ${name}: f32;`)
  return [
    c,
    `let b_${t} = ${matrixAt('tile_b', `${t}u`, plan)};`,
    `var db_${t} = vec4<f32>(); var dc_${t} = vec4<f32>();`,
    ...scalars,
    ...lines,
    putMatrixSums(t, plan),
    putStepSums(t, plan),
  ].join('\n')
}

const sumNames = (t: number, p: number): string[] => [`dx_${t}_${p}`, `dt_${t}_${p}`, `v_${t}_${p}`]

/** The sums over states, when the first of the steps that are summed together is reached. */
function putStepSums(t: number, plan: ScanPlan): string {
  const together = stepsTogether(plan, KINDS)
  if (t % together !== 0) return ''
  const values = range(together).flatMap((i) =>
    range(KINDS).flatMap((kind) => range(plan.channelsPerLane).map((p) => sumNames(t + i, p)[kind])),
  )
  return putSums(values, `${t}u`, plan, KINDS)
}

/** Numbers of dB and dC in a step: state lane, matrix, state. */
export const matrixNumbers = ({stateLanes}: ScanPlan): number => stateLanes * 2 * STATES_PER_LANE

/** Sums of dB and dC that a lane still has after it has exchanged halves by the bits of order from `bit` up. */
function leftAfter(bit: number, plan: ScanPlan): {kind: number; register: number}[] {
  const given = 2 ** orderBits(plan) - 2 ** bit
  const registers = range(STATES_PER_LANE).filter((register) => (register & given) === 0)
  return [0, 1].flatMap((kind) => registers.map((register) => ({kind, register})))
}

const masksBeyondOrder = (plan: ScanPlan): number[] => bitsBetween(plan.stateLanes << orderBits(plan), plan.width)

/** Where the sums of a lane go among the numbers of a step. */
export function matrixPlaces(plan: ScanPlan): string {
  const left = leftAfter(0, plan).length
  const masks = masksBeyondOrder(plan)
  const bits = orderBits(plan)
  const results = laneSums('', Array<string>(left).fill(''), masks, exchangeOf(plan, KINDS)).results.length
  const places = range(results).map(
    (j) => `let matrix_place_${j} = state_lane * 8u + (matrix_first + ${j}u) / ${left / 2}u * 4u
      + ((((matrix_first + ${j}u) % ${left / 2}u) << ${bits}u) ^ order);`,
  )
  return `let matrix_first = ${firstSum(left, masks)};
  let matrix_holder = ${firstHolder(left, masks)};
  ${places.join('\n')}`
}

/** Whether the lanes that sum together are the whole group, and dB and dC need no workgroup memory. */
export const sumsAtOnce = ({lanes, width}: ScanPlan): boolean => lanes === width

/** dB and dC of a step, summed over the channels of the lanes that sum together. */
function putMatrixSums(t: number, plan: ScanPlan): string {
  const exchange = exchangeOf(plan, KINDS)
  const lines: string[] = []
  let name = (kind: number, register: number): string => `d${'bc'[kind]}_${t}[${register}]`
  for (const bit of range(orderBits(plan)).reverse()) {
    const kept = leftAfter(bit, plan)
    const before = name
    const named = (what: string) => (kind: number, register: number) => `${what}${t}_${bit}_${kind}_${register}`
    const [received, sum] = [named('m_get'), named('m_sum')]
    lines.push(
      ...exchange.swap(
        kept.map(({kind, register}) => before(kind, register + 2 ** bit)),
        kept.map(({kind, register}) => received(kind, register)),
        plan.stateLanes << bit,
      ),
      ...kept.map(
        ({kind, register}) => `let ${sum(kind, register)} = ${before(kind, register)} + ${received(kind, register)};`,
      ),
    )
    name = sum
  }
  const left = leftAfter(0, plan).map(({kind, register}) => name(kind, register))
  const {code, results} = laneSums(`m${t}`, left, masksBeyondOrder(plan), exchange)
  return [...lines, code, storeMatrixSums(t, results, plan)].join('\n')
}

function storeMatrixSums(t: number, results: readonly string[], plan: ScanPlan): string {
  const row = sumsAtOnce(plan)
    ? `partials[partial_row + ${t}u * ${matrixNumbers(plan)}u`
    : `matrix_sums[matrix_row + ${t}u * ${matrixNumbers(plan)}u`
  const stores = results.map((sum, j) => `${row} + matrix_place_${j}] = ${sum};`)
  const inside = sumsAtOnce(plan) ? `matrix_holder && start + ${t}u < params.length` : 'matrix_holder'
  return `if (${inside}) { ${stores.join(' ')} }`
}
