/**
 * The pieces that the shaders of RMSNorm are made of. A workgroup takes a row; an invocation holds every THREADS-th group
 * of its numbers. Sums of a row go through workgroup memory in two steps, in an order that depends on d alone.
 */
import {binding, type BindingOptions, FLAT_WORKGROUP, type Format, parameters} from '../../backend/gpu/shader.js'

/** Groups of numbers that an invocation holds, before a workgroup gets more invocations. */
const HELD = 5
const FEWEST_THREADS = 32
const MOST_THREADS = 256

export type Declared = Omit<BindingOptions, 'binding' | 'width'>

export const input = (name: string, format: Format): Declared => ({format, name})
export const output = (name: string, format: Format): Declared => ({format, name, output: true})

/** Numbers in a group: what is read and written at once. */
export const lanesOf = (columns: number): 1 | 4 => (columns % 4 === 0 ? 4 : 1)
const groupsOf = (columns: number): number => columns / lanesOf(columns)

function threadsOf(columns: number): number {
  let threads = FEWEST_THREADS
  while (threads < MOST_THREADS && groupsOf(columns) > HELD * threads) threads *= 2
  return threads
}

const partsOf = (columns: number): number[] =>
  Array.from({length: Math.ceil(groupsOf(columns) / threadsOf(columns))}, (_, index) => index)

/**
 * A whole shader. `sum` is the type of what sum_of_row adds; `body` begins with the invocation's number in `thread`, and finds
 * whole numbers `more` among the parameters behind `rows`: where the rows of an input begin, if nothing else is said.
 */
export function code(
  columns: number,
  sum: 'f32' | 'vec2<f32>',
  declared: readonly Declared[],
  body: string,
  more: readonly string[] = ['offset', 'stride'],
): string {
  const width = lanesOf(columns)
  const threads = threadsOf(columns)
  return [
    parameters(['rows', ...more], ['epsilon']),
    ...declared.map((options, slot) => binding({...options, binding: slot, width})),
    `alias Numbers = ${width === 4 ? 'vec4<f32>' : 'f32'};`,
    `const GROUPS = ${groupsOf(columns)}u;`,
    `fn inner(a: Numbers, b: Numbers) -> f32 { return ${width === 4 ? 'dot(a, b)' : 'a * b'}; }`,
    `fn inverse_root(squares: f32) -> f32 { return inverseSqrt(squares / ${columns}.0 + params.epsilon); }`,
    sumOfRow(threads, sum),
    /* wgsl */ `
@compute @workgroup_size(${threads})
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let item = ${FLAT_WORKGROUP};
  ${body}
}`,
  ].join('\n')
}

/** Adds a value of every invocation. Two barriers make a second call safe: nobody is then still reading from the first. */
function sumOfRow(threads: number, type: string): string {
  const firsts = 2 ** Math.ceil(Math.log2(threads) / 2)
  return /* wgsl */ `
var<workgroup> terms: array<${type}, ${threads}>;
var<workgroup> firsts: array<${type}, ${firsts}>;
fn sum_of_row(thread: u32, value: ${type}) -> ${type} {
  terms[thread] = value;
  workgroupBarrier();
  if (thread < ${firsts}u) {
    var first = terms[thread];
    for (var i = thread + ${firsts}u; i < ${threads}u; i += ${firsts}u) { first += terms[i]; }
    firsts[thread] = first;
  }
  workgroupBarrier();
  var sum = firsts[0];
  for (var i = 1u; i < ${firsts}u; i++) { sum += firsts[i]; }
  return sum;
}`
}

/** Variables `${name}0`, `${name}1` … for the groups that an invocation holds. */
export function held(columns: number, ...names: readonly string[]): string {
  return partsOf(columns)
    .map((i) => names.map((name) => `var ${name}${i} = Numbers();`).join(' '))
    .join('\n  ')
}

/** `body(i)` for each group of the row that an invocation holds, with its number in the row in `c`. */
export function eachPart(columns: number, body: (i: number) => string): string {
  const threads = threadsOf(columns)
  return partsOf(columns)
    .map((i) => {
      const whole = (i + 1) * threads <= groupsOf(columns)
      return `{ let c = thread + ${i * threads}u; ${whole ? body(i) : `if (c < GROUPS) { ${body(i)} }`} }`
    })
    .join('\n  ')
}

/** The sum of `term(i)` over the groups that an invocation holds. */
export function sumOfParts(columns: number, term: (i: number) => string): string {
  return partsOf(columns).map(term).join(' + ')
}
