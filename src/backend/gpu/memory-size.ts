/**
 * How much memory the GPU has for us. WebGPU does not tell, so the answer comes from whoever does:
 *
 * | GPU                      | source                                                                |
 * | any                      | what the user says: --gpu-memory                                      |
 * | played by the processor  | main memory that is free                                              |
 * | NVIDIA                   | nvidia-smi, which comes with the driver: free memory                  |
 * | AMD, on Linux            | the driver's files mem_info_vram_* under /sys: free memory            |
 * | Apple                    | two thirds of main memory, which is what Metal recommends to stay in  |
 * | anything else            | not known                                                             |
 */
import {execFile} from 'node:child_process'
import {readdir, readFile} from 'node:fs/promises'
import {freemem, platform, totalmem} from 'node:os'
import path from 'node:path'
import {promisify} from 'node:util'

export interface MemorySize {
  /** Bytes that we may take; null where it is not known */
  readonly bytes: number | null
  /** Who says so, such as 'nvidia-smi' */
  readonly source: string
}

/** What is known of a GPU that has been opened. */
export interface OpenedGpu {
  readonly name: string
  readonly vendor: string
  /** A processor that plays GPU */
  readonly software: boolean
}

export interface MemoryQuestion {
  /** Bytes that the user lets us take; null: what there is */
  readonly limit?: number | null | undefined
  /** null: no GPU has been opened, and the first one found is taken. */
  readonly gpu?: OpenedGpu | null
}

const APPLE_SHARE = 2 / 3
const DRM = '/sys/class/drm'

/** Milliseconds. nvidia-smi takes seconds where the driver is not loaded yet. */
const PATIENCE = 10_000

export async function gpuMemorySize({gpu = null, limit = null}: MemoryQuestion): Promise<MemorySize> {
  if (limit !== null) return {bytes: limit, source: '--gpu-memory'}
  if (gpu?.software) return {bytes: freemem(), source: 'free main memory'}
  return (
    (await ofNvidia(gpu)) ??
    (await ofAmd(gpu, DRM)) ??
    (platform() === 'darwin' ? {bytes: APPLE_SHARE * totalmem(), source: 'two thirds of main memory'} : null) ?? {
      bytes: null,
      source: 'not known',
    }
  )
}

async function ofNvidia(gpu: OpenedGpu | null): Promise<MemorySize | null> {
  if (gpu && !/nvidia/i.test(`${gpu.vendor} ${gpu.name}`)) return null
  const query = ['--query-gpu=name,memory.free', '--format=csv,noheader,nounits']
  const answer = await promisify(execFile)('nvidia-smi', query, {timeout: PATIENCE}).catch(() => null)
  const bytes = answer && smallestFree(answer.stdout, gpu?.name ?? null)
  return bytes ? {bytes, source: 'nvidia-smi'} : null
}

/** 'NVIDIA H200, 143156' on each line, in MiB. Of several GPUs of the name the fullest, because which one is ours is not known. */
export function smallestFree(text: string, name: string | null): number | null {
  const plain = (value: string): string => value.toLowerCase().replaceAll(/[^a-z\d]+/g, ' ')
  const rows = text.split('\n').flatMap((line) => {
    const [found = '', free = ''] = line.split(',')
    return Number(free) > 0 ? [{free: Number(free) * 2 ** 20, name: plain(found.trim())}] : []
  })
  const own = rows.filter((row) => name !== null && plain(name).includes(row.name))
  const candidates = own.length > 0 ? own : rows
  return candidates.length > 0 ? Math.min(...candidates.map(({free}) => free)) : null
}

async function ofAmd(gpu: OpenedGpu | null, directory: string): Promise<MemorySize | null> {
  if (gpu && !/amd|radeon|ati/i.test(`${gpu.vendor} ${gpu.name}`)) return null
  const bytes = await largestFreeCard(directory)
  return bytes === null ? null : {bytes, source: 'the amdgpu driver'}
}

/** Free memory of the largest card whose driver tells. */
export async function largestFreeCard(directory: string): Promise<number | null> {
  const cards = (await readdir(directory).catch(() => [])).filter((name) => /^card\d+$/.test(name))
  const sizes = await Promise.all(
    cards.map(async (card) => {
      const number = async (file: string): Promise<number> =>
        Number(await readFile(path.join(directory, card, 'device', file), 'utf8').catch(() => NaN))
      return (await number('mem_info_vram_total')) - (await number('mem_info_vram_used'))
    }),
  )
  const known = sizes.filter((size) => size > 0)
  return known.length > 0 ? Math.max(...known) : null
}
