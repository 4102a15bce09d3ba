// The products of one training step: what bench/gpu-products.mjs times. An operand is [rows, columns, format].

const RANK = 16

function model(name, {d, E, R, V}, M) {
  const X = R + 32
  const lora = (out, kind, columns) => ({
    left: [M, RANK, 'f32'],
    right: kind === 'NT' ? [out, RANK, 'f32'] : [RANK, columns, 'f32'],
  })
  const forward = (k, n, format, left = 'f16', extended = true) => ({
    ...(extended && {extension: lora(n, 'NT')}),
    format,
    kind: 'NT',
    left: [M, k, left],
    right: [n, k, 'f16'],
  })
  const backward = (k, n, format, left = 'f16', extended = true) => ({
    ...(extended && {extension: lora(k, 'NN', n)}),
    format,
    kind: 'NN',
    left: [M, k, left],
    right: [k, n, 'f16'],
  })
  const inner = (k) => ({format: 'f32', kind: 'NT', left: [M, k, 'f16'], right: [RANK, k, 'f32']})
  const innerBack = (k) => ({format: 'f32', kind: 'NN', left: [M, k, 'f16'], right: [k, RANK, 'f32']})
  const list = {
    in_proj: forward(d, 2 * E, 'f16'),
    'in_proj without extension': forward(d, 2 * E, 'f16', 'f16', false),
    out_proj: forward(E, d, 'f16', 'f16', false),
    x_proj: forward(E, X, 'f32'),
    dt_proj: {...forward(R, E, 'f16', 'f32', false), bias: E},
    'in_proj inner': inner(d),
    'x_proj inner': inner(E),
    'in_proj dX': backward(2 * E, d, 'f16'),
    'out_proj dX': backward(d, E, 'f16', 'f16', false),
    'x_proj dX': backward(X, E, 'f16', 'f32'),
    'dt_proj dX': backward(E, R, 'f32', 'f16', false),
    'in_proj dInner': innerBack(2 * E),
    'in_proj dA': {format: 'f32', kind: 'TN', left: [M, RANK, 'f32'], right: [M, d, 'f16']},
    'x_proj dA': {format: 'f32', kind: 'TN', left: [M, RANK, 'f32'], right: [M, E, 'f16']},
    'in_proj dB': {format: 'f32', kind: 'TN', left: [M, 2 * E, 'f16'], right: [M, RANK, 'f32']},
    'in_proj dW': {format: 'f32', kind: 'TN', left: [M, 2 * E, 'f16'], right: [M, d, 'f16']},
    head: {format: 'f32', kind: 'NT', left: [Math.min(M, 2048), d, 'f16'], right: [V, d, 'f16']},
    'head dX': {format: 'f32', kind: 'NN', left: [Math.min(M, 2048), V, 'f16'], right: [V, d, 'f16']},
  }
  return Object.entries(list).map(([label, spec]) => [`${name} M ${M} ${label}`, () => spec])
}

function decoding(name, {d, E, V}, M) {
  const one = (k, n, format) => ({format, kind: 'NT', left: [M, k, 'f16'], right: [n, k, 'f16']})
  const list = {head: one(d, V, 'f32'), in_proj: one(d, 2 * E, 'f16'), out_proj: one(E, d, 'f16')}
  return Object.entries(list).map(([label, spec]) => [`${name} decode M ${M} ${label}`, () => spec])
}

const SMALL = {E: 64, R: 16, V: 264, d: 32}
const M130 = {E: 1536, R: 48, V: 50_280, d: 768}
const M2800 = {E: 5120, R: 160, V: 50_280, d: 2560}

export function cases(small) {
  if (small) return [...model('tiny', SMALL, 77), ...decoding('tiny', SMALL, 1), ...decoding('tiny', SMALL, 5)]
  return [
    ...model('130m', M130, 4096),
    ...model('130m', M130, 16_384),
    ...model('2.8b', M2800, 2048),
    ...[1, 4, 8, 16, 32, 64].flatMap((M) => decoding('130m', M130, M)),
    ...[1, 8].flatMap((M) => decoding('2.8b', M2800, M)),
  ]
}
