/**
 * What the gradients within chunks of the SSD scan (ssd-chunk-gradients.wgsl.ts) have from the states between chunks, and what
 * dX is made of with it: products of rows of a chunk with the state before it, and with the gradient of the one behind.
 */
import {type Area, BARRIER, type Factor, type Factors, product, type Steps} from './blocks.js'
import {channelPlace} from './ssd-outputs.wgsl.js'
import {type SsdForm, type SsdPlan, termsOf} from './ssd-plan.js'
import {channelRows, eachRead, firstRows, from, matrixRows, stateRows, writeSlots} from './ssd-rows.wgsl.js'
import {beginsAnew, decayToEnd, leaving, ofBefore, ofFirst} from './ssd-sequences.wgsl.js'
import {type SsdGradientForm} from './ssd-state-gradients.wgsl.js'

/** Numbers in a line of `row_terms`: one for each four columns, and one against bank conflicts */
export const rowLine = ({columns}: Area): number => columns / 4 + 1

export const empty = (name: string, area: Area, {blocks}: SsdPlan): string =>
  blocks
    .slots(area)
    .map((slot) => `var ${name}_${slot} = vec4<f32>();`)
    .join(' ')

/** What comes from the state before the chunk, what goes to the one behind it, and dX. */
export function betweenChunks(form: SsdGradientForm, inputs: boolean, plan: SsdPlan, square: Area, tall: Area): Steps {
  const {blocks, chunk} = plan
  const inner = product(blocks, 'inner', tall, {
    left: {along: true, ...stateRows('b', form)},
    right: {along: true, ...matrixRows('d_states', form, plan)},
    terms: termsOf(form.states),
  })
  const outer = product(blocks, 'outer', tall, ...outerParts(form, plan))
  const own = product(blocks, 'own', tall, {
    left: 'kept',
    right: {along: false, ...from('first_p', channelRows('dy', form))},
    terms: chunk,
  })
  return {
    load: inner.load,
    rest: () => `${inner.rest(outer.load)}
      ${rowDots('x', 'inner', (sum) => `inner_pass += ${toEnd(form, plan, 'thread')} * ${sum};`, form, plan, tall)}
      ${outer.rest(inputs ? own.load : '')}
      ${rowDots('dy', 'outer', (sum) => `gain += ${ofOuter(form)} * ${sum};`, form, plan, tall)}
      ${inputs ? inputGradient(own, form, plan, square, tall) : ''}`,
  }
}

/** exp(s_Q − s_r) for steps from which something leaves the chunk */
const toEnd = (form: SsdForm, plan: SsdPlan, r: string): string =>
  leaving(form, `ends[${r}]`, plan, decayToEnd(form, 'end', `sums[${r}]`))

/** S C of every step: rows of C are zero for the one or the other S, if there are two. */
function outerParts(form: SsdForm, plan: SsdPlan): Factors[] {
  const terms = termsOf(form.states)
  const left: Factor = {along: true, ...stateRows('c', form)}
  const right: Factor = {along: true, ...matrixRows('states', form, plan)}
  if (!beginsAnew(form)) return [{left, right, terms}]
  return [
    {left: {...left, scale: (t) => ofBefore(form, `begins[${t}]`, '1.0')}, right, terms},
    {
      left: {...left, scale: (t) => ofFirst(form, `begins[${t}]`, '1.0')},
      right: {along: true, ...firstRows(form)},
      terms,
    },
  ]
}

/** exp(s_u) where there is an S */
const ofOuter = (form: SsdForm): string =>
  beginsAnew(form) ? 'exp(later[thread])' : ofBefore(form, 'begins[thread]', 'exp(later[thread])')

/** Hands on the products of each row of a result with the same row of x or dy, summed. */
function rowDots(
  name: 'x' | 'dy',
  result: string,
  use: (sum: string) => string,
  form: SsdGradientForm,
  plan: SsdPlan,
  tall: Area,
): string {
  const {chunk} = plan
  const dot = (slot: number, value: string, column: string): string =>
    `row_terms[row * ${rowLine(tall)}u + ${column} / 4u] = dot(${result}_${slot}, ${value});`
  return `${eachRead(plan, tall, from('first_p', channelRows(name, form)), dot)}
      ${BARRIER}
      if (thread < ${chunk}u) { ${use('sum_of_row(thread)')} }`
}

/** dX = Δ q + D dy, and x · q */
function inputGradient(own: Steps, form: SsdGradientForm, plan: SsdPlan, square: Area, tall: Area): string {
  const {blocks} = plan
  const add = (
    slot: number,
    value: string,
  ): string => `inner_${slot} = ${toEnd(form, plan, 'row')} * inner_${slot} + own_${slot};
      own_${slot} = sizes[row] * inner_${slot} + d[head] * ${value};`
  return `${empty('weighted', square, plan)}
      ${blocks.each(square, (slot) => `weighted_${slot} = score_${slot} * decay(row, column);`)}
      ${blocks.keep('weighted', square)}
      ${own.rest('')}
      ${eachRead(plan, tall, from('first_p', channelRows('dy', form)), add)}
      ${writeSlots(plan, tall, form, {format: form.stored, name: 'd_x', place: channelPlace(form)}, 'own')}
      ${rowDots('x', 'inner', (sum) => `direct += ${sum};`, form, plan, tall)}`
}
