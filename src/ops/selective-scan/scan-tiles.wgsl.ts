/**
 * The scan's tiles: how a tile of steps comes from the inputs into workgroup memory. It comes in two halves, so that memory
 * is waited for while the tile before it is computed: `fetch_u` reads into registers what the device stores, `open_u` makes
 * four f32 of it. An item is four channels (u, delta, z and the like) or four states (B and C) at one step.
 */
import {binding, type Format} from '../../backend/gpu/shader.js'
import {CHANNELS_PER_ITEM, type ScanPlan, stagedStride, STATES_PER_LANE} from './scan-plan.js'

/** Rows (B, L, columns), read or written four columns at a time. */
export interface Rows {
  readonly name: string
  readonly slot: number
  readonly format: Format
  readonly columns: number
  readonly across: 'channels' | 'states'
  /** Offset and stride come as parameters `<name>_offset` and `<name>_stride`. */
  readonly strided?: boolean
}

/** Whether four columns lie together at a multiple of four; strided rows are always aligned. */
const isWhole = (columns: number): boolean => columns % 4 === 0

const ZERO = {f16: 'vec2<u32>', f32: 'vec4<f32>', i32: 'vec4<f32>'} as const

/** The type of what `fetch_<name>` returns. */
export const fetchedType = ({columns, format}: Rows): string => (isWhole(columns) ? ZERO[format] : 'vec4<f32>')

/**
 * Declares a binding with `fetch_<name>(sequence, step, column)` and `open_<name>(fetched)`. Beyond the last step is the
 * last step's, beyond the columns are zeros. Where all columns are inside there is no branch: what a load in a branch
 * brings is waited for at the branch's end, and not where it is used.
 */
export function inputRows(rows: Rows, plan: ScanPlan): string {
  const {columns, format, name, slot, strided} = rows
  const inside = columns % (rows.across === 'states' ? plan.stateLanes * STATES_PER_LANE : plan.groupChannels) === 0
  const whole = isWhole(columns)
  const type = fetchedType(rows)
  const [offset, stride] = strided ? [`params.${name}_offset + `, `params.${name}_stride`] : ['', `${columns}u`]
  const opened =
    whole && format === 'f16' ? 'vec4<f32>(unpack2x16float(fetched.x), unpack2x16float(fetched.y))' : 'fetched'
  const body = whole
    ? `return ${name}[at / 4u];`
    : `var fetched: vec4<f32>;
       for (var i = 0u; i < min(4u, ${columns}u - column); i++) { fetched[i] = load_${name}(at + i); }
       return fetched;`
  return `${binding({binding: slot, format, name, width: whole ? 4 : 1})}
fn fetch_${name}(sequence: u32, step: u32, column: u32) -> ${type} {
  ${inside ? '' : `if (column >= ${columns}u) { return ${type}(); }`}
  let at = ${offset}(sequence * params.length + min(step, params.length - 1u)) * ${stride} + column;
  ${body}
}
fn open_${name}(fetched: ${type}) -> vec4<f32> { return ${opened}; }`
}

/**
 * Declares a binding with `put_<name>(sequence, step, column, values)`, which writes nothing beyond the ends. Its rows lie
 * as those of the input `like` do, if there is one.
 */
export function outputRows({columns, format, like, name, slot}: Omit<Rows, 'across'> & {like?: string}): string {
  const [offset, stride] = like ? [`params.${like}_offset + `, `params.${like}_stride`] : ['', `${columns}u`]
  const whole = isWhole(columns)
  const body = whole
    ? `store_${name}(at / 4u, values);`
    : `for (var i = 0u; i < min(4u, ${columns}u - column); i++) { store_${name}(at + i, values[i]); }`
  return `${binding({binding: slot, format, name, output: true, width: whole ? 4 : 1})}
fn put_${name}(sequence: u32, step: u32, column: u32, values: vec4<f32>) {
  if (step >= params.length || column >= ${columns}u) { return; }
  let at = ${offset}(sequence * params.length + step) * ${stride} + column;
  ${body}
}`
}

interface StateBinding {
  readonly name: string
  readonly slot: number
  readonly format: Format
  readonly plan: ScanPlan
}

/** (…, E, N) with `read_<name>(row, channel, state lane)`: a lane's states of one channel, zero beyond E and N. */
export function inputStates({format, name, plan, slot}: StateBinding): string {
  const {channels, states} = plan
  const whole = isWhole(states)
  const body = whole
    ? `return load_${name}(at / 4u);`
    : `var read: vec4<f32>;
       for (var i = 0u; i < min(4u, ${states}u - state); i++) { read[i] = load_${name}(at + i); }
       return read;`
  return `${binding({binding: slot, format, name, width: whole ? 4 : 1})}
fn read_${name}(row: u32, channel: u32, state_lane: u32) -> vec4<f32> {
  let state = state_lane * ${STATES_PER_LANE}u;
  if (channel >= ${channels}u || state >= ${states}u) { return vec4<f32>(); }
  let at = (row * ${channels}u + channel) * ${states}u + state;
  ${body}
}`
}

/** (…, E, N) with `write_<name>(row, channel, state lane, values)`. */
export function outputStates({name, plan, slot}: Omit<StateBinding, 'format'>): string {
  const {channels, states} = plan
  const whole = isWhole(states)
  const body = whole
    ? `store_${name}(at / 4u, values);`
    : `for (var i = 0u; i < min(4u, ${states}u - state); i++) { store_${name}(at + i, values[i]); }`
  return `${binding({binding: slot, format: 'f32', name, output: true, width: whole ? 4 : 1})}
fn write_${name}(row: u32, channel: u32, state_lane: u32, values: vec4<f32>) {
  let state = state_lane * ${STATES_PER_LANE}u;
  if (channel >= ${channels}u || state >= ${states}u) { return; }
  let at = (row * ${channels}u + channel) * ${states}u + state;
  ${body}
}`
}

/** (E) with `read_<name>(channel)`: four channels, zero beyond E. */
export function inputChannels(name: string, slot: number, {channels}: ScanPlan): string {
  return `${binding({binding: slot, format: 'f32', name, width: 1})}
fn read_${name}(channel: u32) -> vec4<f32> {
  var read: vec4<f32>;
  for (var i = 0u; i < 4u; i++) { if (channel + i < ${channels}u) { read[i] = load_${name}(channel + i); } }
  return read;
}`
}

/**
 * Both are given w = exp(−|x|). softplus(x) = max(x, 0) + log(1 + w): steps are often 1e-3, where 1 + w would lose most of
 * w, so the logarithm is 2 artanh(s) with s = w / (2 + w) ≤ 1/3, as a series that is right to f32 rounding.
 */
export const SOFTPLUS = `
fn softplus(x: vec4<f32>, w: vec4<f32>) -> vec4<f32> {
  let s = w / (2.0 + w);
  let q = s * s;
  let series = 1.0 + q * (1.0 / 3.0 + q * (1.0 / 5.0 + q * (1.0 / 7.0 + q * (1.0 / 9.0 + q * (1.0 / 11.0 + q / 13.0)))));
  return max(x, vec4<f32>()) + 2.0 * s * series;
}
fn sigmoid(x: vec4<f32>, w: vec4<f32>) -> vec4<f32> {
  return select(w, vec4<f32>(1.0), x >= vec4<f32>()) / (1.0 + w);
}`

/** Items of a tile that each lane takes, of channels and of states. */
export interface Items {
  readonly perLane: number
  readonly total: number
  /** Items at one step */
  readonly perStep: number
}

export function channelItems({groupChannels, lanes, tile}: ScanPlan): Items {
  const perStep = groupChannels / CHANNELS_PER_ITEM
  return {perLane: Math.ceil((tile * perStep) / lanes), perStep, total: tile * perStep}
}

export function stateItems({lanes, stateLanes, tile}: ScanPlan): Items {
  return {perLane: Math.ceil((tile * stateLanes) / lanes), perStep: stateLanes, total: tile * stateLanes}
}

/** `lines` for each item of a lane, which find its step in the tile in `step` and its place at the step in `place`. */
export function forItems({perLane, perStep, total}: Items, plan: ScanPlan, lines: (i: number) => string): string {
  const one = (i: number): string => {
    const inside = (i + 1) * plan.lanes <= total
    const body = `let step = item / ${perStep}u; let place = item % ${perStep}u; ${lines(i)}`
    return `{ let item = lane + ${i * plan.lanes}u; ${inside ? body : `if (item < ${total}u) { ${body} }`} }`
  }
  return range(perLane).map(one).join('\n')
}

/** Registers for what one lane fetches of a tile: `next_<name>_<i>`. */
export function fetchRegisters(rows: Rows, {perLane}: Items): string {
  return range(perLane)
    .map((i) => `var next_${rows.name}_${i}: ${fetchedType(rows)};`)
    .join('\n')
}

/** Δ and Δ u of a tile, by step and channel of the group. */
export const declareDrives = (plan: ScanPlan): string =>
  `var<workgroup> drives: array<vec2<f32>, ${plan.tile * stagedStride(plan)}>;`

export const driveOf = (step: string, p: number, plan: ScanPlan): string => `drives[${placeOf(step, p, plan)}]`

/** Where what is staged by step and channel of the group belongs to channel p of this lane. */
export const placeOf = (step: string, p: number, plan: ScanPlan): string =>
  `(${step}) * ${stagedStride(plan)}u + ${p * plan.channelLanes}u + channel_lane`

/** Where an item's channels are there. */
export const stagedAt = (plan: ScanPlan): string => `step * ${stagedStride(plan)}u + place * 4u`

export const storeDrives = (at: string, step: string, drive: string): string =>
  `let product = ${drive};
  ${range(4)
    .map((i) => `drives[${at} + ${i}u] = vec2<f32>(${step}[${i}], product[${i}]);`)
    .join(' ')}`

/** Four neighbours of an array of single numbers. WGSL lets a store to a part of a vec4 touch all of it, so no vec4 is shared. */
export const readFour = (array: string, at: string): string =>
  `vec4<f32>(${range(4)
    .map((i) => `${array}[${at} + ${i}u]`)
    .join(', ')})`
export const storeFour = (array: string, at: string, values: string): string =>
  range(4)
    .map((i) => `${array}[${at} + ${i}u] = ${values}[${i}];`)
    .join(' ')

/** Numbers 0 … count − 1. */
export const range = (count: number): number[] => Array.from({length: count}, (_, i) => i)
