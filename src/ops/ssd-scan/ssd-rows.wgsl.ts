/**
 * Rows that the SSD scan's products are made of, and results that are read beside and written, slot by slot: eight f16 at
 * once where tensors lie so and an invocation has eight numbers side by side (`form.eights`), else four numbers.
 */
import {type Format} from '../../backend/gpu/shader.js'
import {type Area, type Factor} from './blocks.js'
import {type SsdForm, type SsdPlan} from './ssd-plan.js'
import {chunkState, headState} from './ssd-tensors.wgsl.js'

/** How lines of a tensor are read. */
export type Rows = Pick<Factor, 'quad' | 'eight'>

/** Where a tensor's numbers are, as its functions are told: everything before the column, and what follows it */
interface Place {
  readonly name: string
  readonly format: Format
  readonly before: (line: string) => string
  readonly after: string
}

function rowsAt({after, before, format, name}: Place, {eights}: SsdForm): Rows {
  const call = (kind: string) => (line: string, column: string) => `${kind}_${name}(${before(line)}${column}${after})`
  return eights && format === 'f16' ? {eight: call('read_eight'), quad: call('read')} : {quad: call('read')}
}

const inChunk = (name: string, format: Format, part: string, size: number): Place => ({
  after: `, (${part} + 1u) * ${size}u`,
  before: (t) => `sequence, first + ${t}, ${part} * ${size}u + `,
  format,
  name,
})

/** Rows of a head's x or dy in a chunk: `t` within the chunk, columns within the head. */
export const channelRows = (name: 'x' | 'dy', form: SsdForm & {readonly dy?: Format}): Rows =>
  rowsAt(inChunk(name, name === 'x' ? form.x : (form.dy ?? 'f32'), 'head', form.size), form)

/** Rows of a group's b or c in a chunk. */
export const stateRows = (name: 'b' | 'c', form: SsdForm): Rows =>
  rowsAt(inChunk(name, form[name], 'channel_group', form.states), form)

/** Rows p of the state of the chunk and head, of `states` or of their gradients. */
export const matrixRows = (name: 'states' | 'd_states', form: SsdForm, {kept}: SsdPlan): Rows =>
  rowsAt({after: '', before: (p) => `${chunkState(form)}, first_p + ${p}, `, format: kept, name}, form)

/** Rows p of the first state of the head, of shaders that see it within chunks. */
export const firstRows = (form: SsdForm): Rows =>
  rowsAt(
    {after: '', before: (p) => `${headState(form)}, first_p + ${p}, `, format: form.h0 ?? 'f32', name: 'h0'},
    {
      ...form,
      eights: false,
    },
  )

/** The same with columns from `start` on. */
export const from = (start: string, {eight, quad}: Rows): Rows => ({
  ...(eight && {eight: (line: string, column: string) => eight(line, `${start} + ${column}`)}),
  quad: (line, column) => quad(line, `${start} + ${column}`),
})

/** Code for each slot with the four numbers of a tensor that lie where the slot does. */
export function eachRead(
  {blocks}: SsdPlan,
  area: Area,
  {eight, quad}: Rows,
  code: (slot: number, value: string, column: string) => string,
): string {
  if (!eight || !blocks.eachPair) return blocks.each(area, (slot) => code(slot, quad('row', 'column'), 'column'))
  return blocks.eachPair(
    area,
    (slot) => `let eight = ${eight('row', 'column')};
    ${code(slot, 'vec4<f32>(unpack2x16float(eight.x), unpack2x16float(eight.y))', 'column')}
    ${code(slot + 1, 'vec4<f32>(unpack2x16float(eight.z), unpack2x16float(eight.w))', '(column + 4u)')}`,
  )
}

/** Writes a result to a tensor of that format; `place` is what comes before the value. */
export function writeSlots(
  {blocks}: SsdPlan,
  area: Area,
  {eights}: SsdForm,
  to: {readonly name: string; readonly format: Format; readonly place: string},
  result: string,
): string {
  const {format, name, place} = to
  if (!eights || format !== 'f16' || !blocks.eachPair) {
    return blocks.each(area, (slot) => `write_${name}(${place}, ${result}_${slot});`)
  }
  return blocks.eachPair(
    area,
    (slot) => `write_eight_${name}(${place}, in_halves(${result}_${slot}, ${result}_${slot + 1}));`,
  )
}
