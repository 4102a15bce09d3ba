/** Reads back a GGUF file as the format's document says, for tests: metadata, and tensors with shapes as ours. */
import {readFile} from 'node:fs/promises'
import {toFloat32} from '../../src/checkpoint/dtypes.js'

export interface GgufParts {
  readonly metadata: Readonly<Record<string, unknown>>
  readonly tensors: Readonly<
    Record<string, {readonly shape: readonly number[]; readonly type: number; readonly values: Float32Array}>
  >
}

export async function ggufParts(file: string): Promise<GgufParts> {
  const bytes = await readFile(file)
  let at = 0
  const u32 = (): number => bytes.readUInt32LE((at += 4) - 4)
  const u64 = (): number => Number(bytes.readBigUInt64LE((at += 8) - 8))
  const text = (): string => {
    const length = u64()
    return bytes.toString('utf8', at, (at += length))
  }
  const value = (type: number): unknown => {
    if (type === 4) return u32()
    if (type === 5) return bytes.readInt32LE((at += 4) - 4)
    if (type === 6) return bytes.readFloatLE((at += 4) - 4)
    if (type === 7) return bytes[at++] === 1
    if (type === 8) return text()
    if (type !== 9) throw new Error(`type ${type} at ${at}`)
    const inner = u32()
    return Array.from({length: u64()}, () => value(inner))
  }
  const magic = bytes.toString('latin1', 0, (at = 4))
  if (magic !== 'GGUF' || u32() !== 3) throw new Error('no GGUF of version 3')
  const [count, keys] = [u64(), u64()]
  const metadata = Object.fromEntries(Array.from({length: keys}, () => [text(), value(u32())]))
  const infos = Array.from({length: count}, () => ({
    name: text(),
    shape: Array.from({length: u32()}, u64).reverse(),
    type: u32(),
    offset: u64(),
  }))
  const start = Math.ceil(at / 32) * 32
  const tensors = infos.map(({name, offset, shape, type}) => {
    if (offset % 32 !== 0) throw new Error(`${name} is not aligned`)
    const values = valuesAt(
      bytes.subarray(start + offset),
      shape.reduce((product, size) => product * size, 1),
      type,
    )
    return [name, {shape, type, values}] as const
  })
  return {metadata, tensors: Object.fromEntries(tensors)}
}

function valuesAt(bytes: Uint8Array, count: number, type: number): Float32Array {
  if (type === 0) return toFloat32(bytes.slice(0, 4 * count), 'F32')
  if (type === 1 || type === 30) return toFloat32(bytes.slice(0, 2 * count), type === 1 ? 'F16' : 'BF16')
  return Float32Array.from({length: count}, (_, index) => {
    const block = 34 * Math.trunc(index / 32)
    const [scale] = toFloat32(bytes.slice(block, block + 2), 'F16')
    return scale * ((bytes[block + 2 + (index % 32)] << 24) >> 24)
  })
}
