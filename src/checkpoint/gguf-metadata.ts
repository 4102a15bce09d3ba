/** The metadata of a GGUF file: typed values and their bytes. Texts and lists stand behind their length. */
import {Buffer} from 'node:buffer'

export type GgufValue =
  | {readonly type: 'bool'; readonly value: boolean}
  | {readonly type: 'f32'; readonly value: number}
  | {readonly type: 'i32s'; readonly value: readonly number[]}
  | {readonly type: 'text'; readonly value: string}
  | {readonly type: 'texts'; readonly value: readonly string[]}
  | {readonly type: 'u32'; readonly value: number}

/** By key, in the order of the file */
export type GgufMetadata = ReadonlyMap<string, GgufValue>

/** By what number a file names the type of a value */
const TYPE = {bool: 7, f32: 6, i32: 5, list: 9, text: 8, u32: 4} as const

export const bool = (value: boolean): GgufValue => ({type: 'bool', value})
export const f32 = (value: number): GgufValue => ({type: 'f32', value})
export const i32s = (value: readonly number[]): GgufValue => ({type: 'i32s', value})
export const text = (value: string): GgufValue => ({type: 'text', value})
export const texts = (value: readonly string[]): GgufValue => ({type: 'texts', value})
export const u32 = (value: number): GgufValue => ({type: 'u32', value})

export function encodeMetadata(metadata: GgufMetadata): Buffer {
  return Buffer.concat([...metadata].flatMap(([key, value]) => [encodeText(key), ...encodeValue(value)]))
}

function encodeValue({type, value}: GgufValue): Buffer[] {
  switch (type) {
    case 'bool':
      return [word(TYPE.bool), Buffer.from([value ? 1 : 0])]
    case 'f32':
      return [word(TYPE.f32), Buffer.from(Float32Array.of(value).buffer)]
    case 'i32s':
      return [word(TYPE.list), word(TYPE.i32), long(value.length), Buffer.from(Int32Array.from(value).buffer)]
    case 'text':
      return [word(TYPE.text), encodeText(value)]
    case 'texts':
      return [word(TYPE.list), word(TYPE.text), long(value.length), ...value.map(encodeText)]
    case 'u32':
      return [word(TYPE.u32), word(value)]
  }
}

export function encodeText(value: string): Buffer {
  const bytes = Buffer.from(value)
  return Buffer.concat([long(bytes.length), bytes])
}

/** 32 bits */
export function word(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}

/** 64 bits */
export function long(value: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(BigInt(value))
  return bytes
}
