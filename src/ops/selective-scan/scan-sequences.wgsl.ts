/**
 * Rows that hold several sequences, in the shaders of the selective scan: which steps of a tile are the first of a sequence,
 * as the bits of a number, and the state that is before such a step instead of the one that the step before it left. Where
 * rows are one sequence each, all of this is nothing, and the code is as it would be without.
 */
import {binding} from '../../backend/gpu/shader.js'
import {type ScanForm} from './scan-form.wgsl.js'
import {type ScanPlan} from './scan-plan.js'
import {range} from './scan-tiles.wgsl.js'

type Packed = Pick<ScanForm, 'packed'>

/** The bindings that positions take. */
export const positionSlots = ({packed}: Packed): number => (packed ? 1 : 0)

/** Binds positions; `first_steps(sequence, start, end)`: bit t is set if step start + t, before `end`, begins a sequence. */
export function declarePositions({packed}: Packed, slot: number, {tile}: ScanPlan): string[] {
  if (!packed) return []
  const code = `${binding({binding: slot, format: 'i32', name: 'positions', width: 1})}
fn first_steps(sequence: u32, start: u32, end: u32) -> u32 {
  var bits = 0u;
  for (var t = 0u; t < ${tile}u; t++) {
    let step = min(start + t, params.length - 1u);
    if (load_positions(sequence * params.length + step) == 0 && start + t < end) { bits |= 1u << t; }
  }
  return bits;
}`
  return [code]
}

/** `firsts`, for the tile that begins at `start`. */
export const findFirsts = ({packed}: Packed, end: string): string =>
  packed ? `let firsts = first_steps(sequence, start, ${end});\n` : ''

/** Whether step t of the tile begins a sequence. */
export const isFirst = (t: string): string => `((firsts >> (${t})) & 1u) != 0u`

/** `begin_<p>`: the state that sequences begin with; `read` where there is one. */
export function beginStates({packed}: Packed, plan: ScanPlan, read: ((p: number) => string) | null): string[] {
  if (!packed) return []
  return range(plan.channelsPerLane).map((p) => `let begin_${p} = ${read ? read(p) : 'vec4<f32>()'};`)
}

/** The state before step t of the tile, which is `state` unless a sequence begins there. */
export const stateBefore = ({packed}: Packed, state: string, p: number, t: string): string =>
  packed ? `select(${state}, begin_${p}, ${isFirst(t)})` : state
