/**
 * Operations number by number. Tensors of one shape go four numbers at a time in any format; shapes that are broadcast go
 * one number at a time, with a stride of 0 along what is repeated.
 */
import {binding, flatGrid, FLAT_WORKGROUP, type Format, type Grid, parameters, type Shader} from '../shader.js'

const INVOCATIONS = 256

/** WGSL of a function of x, valid for vectors of f32. */
export const UNARY = {
  Exp: 'exp(x)',
  Log: 'log(x)',
  Neg: '-x',
  Reciprocal: '1.0 / x',
  Rsqrt: 'inverseSqrt(x)',
  Sigmoid: '1.0 / (1.0 + exp(-x))',
  Sqrt: 'sqrt(x)',
  Square: 'x * x',
} as const

/** WGSL of a function of a and b. */
export const BINARY = {
  Add: 'a + b',
  Maximum: 'max(a, b)',
  Minimum: 'min(a, b)',
  Multiply: 'a * b',
  RealDiv: 'a / b',
  Sub: 'a - b',
} as const

export type UnaryName = keyof typeof UNARY
export type BinaryName = keyof typeof BINARY

const HEAD = `@compute @workgroup_size(${INVOCATIONS})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let i = ${FLAT_WORKGROUP} * ${INVOCATIONS}u + lane;
  if (i >= params.count) { return; }`

/** Workgroups for `count` invocations. */
export function elementGrid(count: number): Grid {
  return flatGrid(Math.ceil(count / INVOCATIONS))
}

/** Parameters: groups of four numbers. */
export function unary(name: UnaryName, from: Format, to: Format): Shader {
  return {
    code: () => `${parameters(['count'])}
${binding({binding: 0, format: from, name: 'source', width: 4})}
${binding({binding: 1, format: to, name: 'result', output: true, width: 4})}
${HEAD}
  let x = load_source(i);
  store_result(i, ${UNARY[name]});
}`,
    key: `${from} ${to}`,
    name,
  }
}

/** Both of one shape. Parameters: groups of four numbers. */
export function binarySame(name: BinaryName, left: Format, right: Format, to: Format): Shader {
  return {
    code: () => `${parameters(['count'])}
${binding({binding: 0, format: left, name: 'left', width: 4})}
${binding({binding: 1, format: right, name: 'right', width: 4})}
${binding({binding: 2, format: to, name: 'result', output: true, width: 4})}
${HEAD}
  let a = load_left(i);
  let b = load_right(i);
  store_result(i, ${BINARY[name]});
}`,
    key: `${left} ${right} ${to}`,
    name,
  }
}

/**
 * Shapes of rank four that are broadcast. Parameters: numbers of the result, its last three lengths, four strides of the
 * left and four of the right.
 */
export function binaryBroadcast(name: BinaryName, left: Format, right: Format): Shader {
  const strides = (side: string): string[] => [0, 1, 2, 3].map((axis) => `${side}${axis}`)
  const place = (side: string): string => [0, 1, 2, 3].map((axis) => `at${axis} * params.${side}${axis}`).join(' + ')
  return {
    code: () => `${parameters(['count', 'length1', 'length2', 'length3', ...strides('a'), ...strides('b')])}
${binding({binding: 0, format: left, name: 'left', width: 1})}
${binding({binding: 1, format: right, name: 'right', width: 1})}
${binding({binding: 2, format: 'f32', name: 'result', output: true, width: 1})}
${HEAD}
  let at3 = i % params.length3;
  let at2 = (i / params.length3) % params.length2;
  let at1 = (i / (params.length3 * params.length2)) % params.length1;
  let at0 = i / (params.length3 * params.length2 * params.length1);
  let a = load_left(${place('a')});
  let b = load_right(${place('b')});
  store_result(i, ${BINARY[name]});
}`,
    key: `${left} ${right} broadcast`,
    name,
  }
}

/** The same number everywhere. Parameters: groups of four numbers, then the number. */
export function fill(format: 'f32' | 'i32'): Shader {
  const value = format === 'f32' ? 'vec4<f32>(params.value)' : 'vec4<i32>(i32(params.value))'
  return {
    code: () => `${parameters(['count'], ['value'])}
${binding({binding: 0, format, name: 'result', output: true, width: 4})}
${HEAD}
  store_result(i, ${value});
}`,
    key: format,
    name: 'Fill',
  }
}

/** Whole numbers to floats and back. Parameters: numbers. */
export function cast(from: Format, to: 'f32' | 'i32'): Shader {
  return {
    code: () => `${parameters(['count'])}
${binding({binding: 0, format: from, name: 'source', width: 1})}
${binding({binding: 1, format: to, name: 'result', output: true, width: 1})}
${HEAD}
  store_result(i, ${to}(load_source(i)));
}`,
    key: `${from} ${to}`,
    name: 'Cast',
  }
}
