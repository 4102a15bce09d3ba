import {readFileSync} from 'node:fs'
import {afterEach, describe, expect, test} from '@jest/globals'
import {KernelPool} from '../../src/backend/kernel-pool.js'
import {normals} from '../support/values.js'

/**
 * A module with one kernel, count(at, item, thread), that adds 1 to the i32 at address at + 4 · item. In WebAssembly text:
 *
 *   (import "env" "memory" (memory 1 65536 shared))
 *   (func (export "count") (param i32 i32 i32)
 *     (drop (i32.atomic.rmw.add (i32.add (local.get 0) (i32.shl (local.get 1) (i32.const 2))) (i32.const 1))))
 */
const COUNTING = Uint8Array.from(
  [
    [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    [0x01, 0x07, 0x01, 0x60, 0x03, 0x7f, 0x7f, 0x7f, 0x00], // one type: three i32 in, nothing out
    [0x02, 0x12, 0x01, 0x03, ...Buffer.from('env'), 0x06, ...Buffer.from('memory'), 0x02, 0x03, 0x01, 0x80, 0x80, 0x04],
    [0x03, 0x02, 0x01, 0x00], // one function of this type
    [0x07, 0x09, 0x01, 0x05, ...Buffer.from('count'), 0x00, 0x00],
    [0x0a, 0x13, 0x01, 0x11, 0x00, 0x20, 0x00, 0x20, 0x01, 0x41, 0x02, 0x74, 0x6a, 0x41, 0x01, 0xfe, 0x1e, 0x02, 0x00],
    [0x1a, 0x0b],
  ].flat(),
)

const kernels = new WebAssembly.Module(readFileSync('build/kernels.wasm'))
const opened: KernelPool[] = []

afterEach(async () => {
  await Promise.all(opened.splice(0).map((pool) => pool.close()))
})

function open(module: WebAssembly.Module, threads: number): {memory: WebAssembly.Memory; pool: KernelPool} {
  const memory = new WebAssembly.Memory({initial: 16, maximum: 16, shared: true})
  const pool = new KernelPool(module, memory, threads)
  opened.push(pool)
  return {memory, pool}
}

describe('a kernel pool', () => {
  test.each([1, 2, 3, 5])('runs each item once a launch, on %i threads', (threads) => {
    const {memory, pool} = open(new WebAssembly.Module(COUNTING), threads)
    expect(pool.threads).toBe(threads)
    const counts = new Int32Array(memory.buffer, 64, 41)
    const expected = new Int32Array(41)
    for (let launch = 0; launch < 500; launch++) {
      const items = launch % 41
      pool.run('count', [64], items)
      for (let item = 0; item < items; item++) expected[item]++
      // The launch is over when run returns, on every thread.
      expect(counts.every((count, item) => count === expected[item])).toBe(true)
    }
  })

  test('runs each item once when it keeps the work on this thread', () => {
    const {memory, pool} = open(new WebAssembly.Module(COUNTING), 3)
    pool.run('count', [64], 7, false)
    expect([...new Int32Array(memory.buffer, 60, 9)]).toEqual([0, 1, 1, 1, 1, 1, 1, 1, 0])
  })

  test('gives the same bytes on any number of threads', () => {
    const [rows, columns, block] = [300, 37, 32]
    const size = rows * columns * 4
    const [x, weight, dy, dX, dWeight] = [64, 64 + size, 64 + 2 * size, 64 + 3 * size, 64 + 4 * size]
    const blocks = Math.ceil(rows / block)
    const bytesOf = (threads: number): Buffer => {
      const {memory, pool} = open(kernels, threads)
      const normal = normals('pool')
      for (const at of [x, weight, dy]) {
        new Float32Array(memory.buffer, at, rows * columns).set(normal([rows, columns]).data)
      }
      pool.run('rmsNormBackward', [x, weight, dy, dX, dWeight, rows, columns, 1e-5, block], blocks)
      return Buffer.from(memory.buffer.slice(dX, dWeight + blocks * columns * 4))
    }
    const expected = bytesOf(1)
    expect(expected.some((byte) => byte !== 0)).toBe(true)
    for (const threads of [2, 3, 4]) expect(bytesOf(threads).equals(expected)).toBe(true)
  })

  test('answers questions on this thread', () => {
    const {pool} = open(kernels, 1)
    expect(pool.call('causalConvScratch', 10, 4) - pool.call('causalConvScratch', 9, 4)).toBe(16)
  })
})
