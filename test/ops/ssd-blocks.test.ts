/** Products of blocks inside a workgroup, in registers and on (imitated) matrix units: every way for factors to lie. */
import {expect, test} from '@jest/globals'
import * as tf from '@tensorflow/tfjs-core'
import {parameters} from '../../src/backend/gpu/shader.js'
import {toTensors} from '../../src/ops/operation.js'
import {type Area, BARRIER, type Blocks, type Factor, product, whole} from '../../src/ops/ssd-scan/blocks.js'
import {matrixBlocks, wideMatrixBlocks} from '../../src/ops/ssd-scan/matrix-blocks.wgsl.js'
import {plainBlocks} from '../../src/ops/ssd-scan/plain-blocks.wgsl.js'
import {difference, F32} from '../support/close.js'
import {useBackend} from '../support/device.js'
import {describeGpu, useGpu} from '../support/gpu.js'
import {type Named, normals, toTensor} from '../support/values.js'
import {imitated} from './imitated-units.js'

const COLUMNS = 64

/** Rows of the first factor, and terms: as few as the blocks allow. */
const rowsOf = (blocks: Blocks): number => (blocks === wideMatrixBlocks ? 64 : 32)

const factor = (name: string, lineLength: number, along: boolean): Factor => ({
  along,
  quad: (line, at) => `${name}[(${line} * ${lineLength}u + ${at}) / 4u]`,
})

/**
 * left · right, made twice in a loop, so that every round has to begin at zero; then (left · leftᵀ) · right with the first
 * product kept, whose diagonal is shown.
 */
function codeOf(blocks: Blocks, leftAlong: boolean, rightAlong: boolean): string {
  const rows = rowsOf(blocks)
  const area: Area = {columns: COLUMNS, rows}
  const square: Area = {columns: rows, rows}
  const left = factor('left', rows, leftAlong)
  const right = factor('right', rightAlong ? rows : COLUMNS, rightAlong)
  return imitated(`${blocks.enables}
${parameters(['length'])}
@group(0) @binding(0) var<storage, read> left: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> right: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> once: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> twice: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> diagonal: array<f32>;
${blocks.declare([area, square], square)}
@compute @workgroup_size(${blocks.invocations})
fn main(@builtin(local_invocation_index) thread: u32) {
  ${blocks.constants}
  for (var round = 0u; round < 2u * params.length; round++) {
    ${whole(product(blocks, 'sum', area, {left, right, terms: rows}))}
    ${blocks.each(area, (slot) => `once[(row * ${COLUMNS}u + column) / 4u] = sum_${slot};`)}
  }
  ${whole(product(blocks, 'own', square, {left, right: left, terms: rows}))}
  ${BARRIER}
  ${blocks.each(square, (slot) => blocks.show(slot, `own_${slot}`, square))}
  ${BARRIER}
  if (thread < ${rows}u) { diagonal[thread] = ${blocks.shown('thread', 'thread', square)}; }
  ${blocks.keep('own', square)}
  ${whole(product(blocks, 'more', area, {left: 'kept', right, terms: rows}))}
  ${blocks.each(area, (slot) => `twice[(row * ${COLUMNS}u + column) / 4u] = more_${slot};`)}
}`)
}

/** Small whole numbers, which f16 holds exactly, and so do their products: sums of 64 stay below 2¹¹. */
function factors(rows: number, leftAlong: boolean, rightAlong: boolean): Named {
  const small = (name: string, along: boolean, extent: number): Named[string] => {
    const {data, shape} = normals(name)(along ? [extent, rows] : [rows, extent])
    return {data: Float32Array.from(data, (value) => Math.max(-3, Math.min(3, Math.round(value)))), shape}
  }
  return {left: small('left', leftAlong, rows), right: small('right', rightAlong, COLUMNS)}
}

describeGpu('products of blocks', () => {
  const cases = [plainBlocks, matrixBlocks, wideMatrixBlocks].flatMap((blocks) =>
    [
      [true, true],
      [true, false],
      [false, true],
      [false, false],
    ].map(([left, right]) => ({blocks, left, name: blocks.name, right})),
  )

  test.each(cases)('are right on $name, along the terms: $left and $right', async ({blocks, left, right}) => {
    const rows = rowsOf(blocks)
    const given = factors(rows, left, right)
    await useBackend('cpu')
    const expected = tf.tidy(() => {
      const [a, b] = [toTensor(given.left), toTensor(given.right)]
      const own = tf.matMul(a, a, !left, left)
      const made = [tf.matMul(a, b, !left, right), tf.matMul(own, b, false, right)]
      return made.map((tensor) => tensor.dataSync<'float32'>())
    })
    const host = await useGpu()
    const inputs = [toTensor(given.left), toTensor(given.right)]
    const outputs = toTensors(
      host.launch({
        grid: [1, 1, 1],
        inputs,
        outputs: [
          {format: 'f32', shape: [rows, COLUMNS]},
          {format: 'f32', shape: [rows, COLUMNS]},
          {format: 'f32', shape: [rows]},
        ],
        shader: {
          code: () => codeOf(blocks, left, right),
          key: `${blocks.name} ${left} ${right}`,
          name: 'products of blocks, in tests',
        },
        whole: [1],
      }),
    )
    const results = await Promise.all(outputs.map((tensor) => tensor.data<'float32'>()))
    tf.dispose([...inputs, ...outputs])
    expect(difference(results[0], expected[0], F32)).toBeNull()
    expect(difference(results[1], expected[1], F32)).toBeNull()
    const squares = Array.from({length: rows}, (_, row) => sumOfSquares(given.left, row, left))
    expect(difference(results[2], squares, F32)).toBeNull()
  })
})

function sumOfSquares({data, shape}: Named[string], row: number, along: boolean): number {
  const at = (term: number): number => (along ? row * shape[1] + term : term * shape[1] + row)
  return Array.from({length: along ? shape[1] : shape[0]}, (_, term) => data[at(term)] ** 2).reduce(
    (sum, square) => sum + square,
    0,
  )
}
