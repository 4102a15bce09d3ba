import {describe, expect, test} from '@jest/globals'
import {mkdir, writeFile} from 'node:fs/promises'
import {BufferPool} from '../../src/backend/gpu/buffer-pool.js'
import {GpuBackend} from '../../src/backend/gpu/gpu-backend.js'
import {gpuMemorySize, largestFreeCard, smallestFree} from '../../src/backend/gpu/memory-size.js'
import {memoryText} from '../../src/backend/gpu/memory-text.js'
import {paperDevice} from '../../src/backend/gpu/paper-device.js'
import {LARGE_GPU} from '../../src/backend/gpu/rehearsal.js'
import {MemoryError} from '../../src/errors.js'
import {workDirectory} from '../support/work-directory.js'

const KIB = 1024

describe('a pool of buffers with a limit', () => {
  function poolOf(limit?: number): {pool: BufferPool; destroyed: number[]} {
    const destroyed: number[] = []
    const create = (size: number): GPUBuffer => ({destroy: () => destroyed.push(size)}) as unknown as GPUBuffer
    return {destroyed, pool: new BufferPool(create, () => {}, limit)}
  }

  test('gives what fits, and says at once what does not', () => {
    const {pool} = poolOf(40 * KIB)
    const first = pool.allocate(32 * KIB)
    expect(() => pool.allocate(16 * KIB)).toThrow(MemoryError)
    expect(pool.memory()).toMatchObject({live: 32 * KIB, pooled: 0})
    pool.release(first)
    expect(pool.memory()).toMatchObject({live: 0, mostLive: 48 * KIB, pooled: 32 * KIB})
  })

  test('gives up buffers that wait for reuse before it refuses', () => {
    const {destroyed, pool} = poolOf(40 * KIB)
    pool.release(pool.allocate(32 * KIB))
    pool.allocate(16 * KIB)
    expect(destroyed).toEqual([32 * KIB])
    expect(pool.memory()).toMatchObject({live: 16 * KIB, peak: 32 * KIB, pooled: 0})
  })

  test('gives up buffers that wait for reuse for the room that is there, and no others', () => {
    const {destroyed, pool} = poolOf()
    pool.expectRoom(40 * KIB)
    pool.release(pool.allocate(32 * KIB))
    pool.allocate(16 * KIB)
    expect(destroyed).toEqual([32 * KIB])
    expect(() => pool.allocate(64 * KIB)).not.toThrow()
  })

  test('without a limit takes what it is asked for', () => {
    const {pool} = poolOf()
    expect(() => pool.allocate(2 ** 45)).not.toThrow()
  })
})

describe('a GPU that cannot make a buffer', () => {
  const outOfMemory = {message: 'vkAllocateMemory failed with VK_ERROR_OUT_OF_DEVICE_MEMORY'}

  test('says so until it is told to go on, and can be read then', async () => {
    const device = paperDevice()
    let failing = true
    device.popErrorScope = () => Promise.resolve(failing ? (outOfMemory as GPUError) : null)
    const backend = new GpuBackend({checked: false, device, facts: LARGE_GPU, precision: 'f32'})
    backend.empty([1024], 'f32')
    expect(backend.isUnsettled).toBe(true)
    await expect(backend.settle()).rejects.toThrow(
      /^The GPU has too little memory: it ran out allocating 1 MiB\. In use: 4 KiB/,
    )
    failing = false
    expect(backend.isUnsettled).toBe(true)
    await expect(backend.finish()).rejects.toThrow(MemoryError)
    backend.recover()
    expect(backend.isUnsettled).toBe(false)
    await expect(backend.settle()).resolves.toBeUndefined()
    const values = await backend.read(backend.empty([3], 'f32').dataId)
    expect([...(values as Float32Array)]).toEqual([0, 0, 0])
  })
})

describe('the size of the memory', () => {
  const inWork = workDirectory()

  test('is what the user says, before anything else', async () => {
    const gpu = {name: 'NVIDIA H200', software: false, vendor: 'nvidia'}
    expect(await gpuMemorySize({gpu, limit: 5})).toEqual({bytes: 5, source: '--gpu-memory'})
  })

  test('of a processor that plays GPU is free main memory', async () => {
    const gpu = {name: 'llvmpipe', software: true, vendor: 'mesa'}
    expect(await gpuMemorySize({gpu})).toEqual({bytes: expect.any(Number), source: 'free main memory'})
  })

  test('of an NVIDIA GPU is that of the fullest one of its name', () => {
    const text = 'NVIDIA H200, 143000\nNVIDIA H200, 99000\nNVIDIA T4, 15000\n'
    expect(smallestFree(text, 'nvidia-h200')).toBe(99_000 * 2 ** 20)
    expect(smallestFree(text, 'NVIDIA T4')).toBe(15_000 * 2 ** 20)
    expect(smallestFree(text, 'another')).toBe(15_000 * 2 ** 20)
    expect(smallestFree('NVIDIA-SMI has failed', null)).toBeNull()
  })

  test('of an AMD GPU is in files of its driver', async () => {
    const sizes = {card0: [8e9, 1e9], card1: [16e9, 2e9]}
    for (const [card, [total, used]] of Object.entries(sizes)) {
      await mkdir(inWork('drm', card, 'device'), {recursive: true})
      await writeFile(inWork('drm', card, 'device', 'mem_info_vram_total'), `${total}\n`)
      await writeFile(inWork('drm', card, 'device', 'mem_info_vram_used'), `${used}\n`)
    }
    await mkdir(inWork('drm', 'card2', 'device'), {recursive: true})
    expect(await largestFreeCard(inWork('drm'))).toBe(14e9)
    expect(await largestFreeCard(inWork('nothing'))).toBeNull()
  })

  test('reads well', () => {
    expect([0, 1500, 2 ** 20, 1.5 * 2 ** 20, 140 * 2 ** 30].map(memoryText)).toEqual([
      '0 KiB',
      '2 KiB',
      '1.0 MiB',
      '1.5 MiB',
      '140.00 GiB',
    ])
  })
})
