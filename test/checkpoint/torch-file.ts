/** Files of PyTorch put together by hand, so that they can be wrong: pickles opcode by opcode, zip archives entry by entry. */
import {crc32} from 'node:zlib'

export type Part = Uint8Array | string | number

/** Bytes one after the other; a number is one byte. */
export function bytes(...parts: readonly Part[]): Buffer {
  return Buffer.concat(
    parts.map((part) => (typeof part === 'number' ? Buffer.of(part) : Buffer.from(part as Uint8Array))),
  )
}

const u32 = (value: number): Buffer => {
  const buffer = Buffer.alloc(4)
  buffer.writeUInt32LE(value)
  return buffer
}

const u16 = (value: number): Buffer => u32(value).subarray(0, 2)

const u64 = (value: bigint): Buffer => {
  const buffer = Buffer.alloc(8)
  buffer.writeBigUInt64LE(value)
  return buffer
}

export const text = (value: string): Buffer => bytes('X', u32(Buffer.byteLength(value)), value)
export const whole = (value: number): Buffer => bytes('J', u32(value))
export const global = (module: string, name: string): Buffer => bytes('c', module, '\n', name, '\n')
export const tuple = (...items: readonly Part[]): Buffer => bytes('(', ...items, 't')
export const calling = (callee: Part, ...args: readonly Part[]): Buffer => bytes(callee, tuple(...args), 'R')

export interface TensorParts {
  readonly key?: string
  readonly kind?: string
  readonly count?: number
  readonly offset?: number
  readonly shape?: readonly number[]
  readonly strides?: readonly number[]
}

/** A tensor of one storage, as torch.save writes it. */
export function tensor({count = 6, key = '0', kind = 'FloatStorage', offset = 0, ...parts}: TensorParts = {}): Buffer {
  const {shape = [2, 3], strides = [3, 1]} = parts
  const storage = bytes(tuple(text('storage'), global('torch', kind), text(key), text('cpu'), whole(count)), 'Q')
  const args = [storage, whole(offset), tuple(...shape.map(whole)), tuple(...strides.map(whole)), 0x89, 'N']
  return calling(global('torch._utils', '_rebuild_tensor_v2'), ...args)
}

/** {name: value, …} as a whole pickle. */
export function stateOf(items: Readonly<Record<string, Part>> = {weight: tensor()}): Buffer {
  const pairs = Object.entries(items).flatMap(([name, value]) => [text(name), value])
  return bytes(0x80, 2, '}', '(', ...pairs, 'u', '.')
}

export interface ZipEntry {
  readonly name: string
  readonly data: Uint8Array
  /** 0: stored */
  readonly method?: number
  /** Bit 0: encrypted, which takes twelve more bytes */
  readonly flags?: number
  /** What the directory says of the size, if it lies */
  readonly size?: number
  /** Size and offset as zip64 extra fields: the size that they say */
  readonly zip64?: bigint
}

/** A zip archive without compression. */
export function zip(entries: readonly ZipEntry[], {comment = ''} = {}): Buffer {
  const locals: Buffer[] = []
  const directory: Buffer[] = []
  let at = 0
  for (const {data, flags = 0, method = 0, name, size = data.length, zip64} of entries) {
    const said = zip64 === undefined ? size : 0xffffffff
    const extra = zip64 === undefined ? Buffer.alloc(0) : bytes(u16(1), u16(16), u64(zip64), u64(zip64))
    const common = bytes(
      u16(flags),
      u16(method),
      u32(0),
      u32(crc32(data)),
      u32(flags & 1 ? said + 12 : said),
      u32(said),
      u16(Buffer.byteLength(name)),
    )
    const local = bytes('PK\u0003\u0004', u16(20), common, u16(0), name, data)
    directory.push(
      bytes(
        'PK\u0001\u0002',
        u16(20),
        u16(20),
        common,
        u16(extra.length),
        u16(0),
        Buffer.alloc(8),
        u32(at),
        name,
        extra,
      ),
    )
    locals.push(local)
    at += local.length
  }

  const central = Buffer.concat(directory)
  const count = u16(entries.length)
  const end = bytes(
    'PK\u0005\u0006',
    u16(0),
    u16(0),
    count,
    count,
    u32(central.length),
    u32(at),
    u16(comment.length),
    comment,
  )
  return Buffer.concat([...locals, central, end])
}

export const SIX = new Uint8Array(Float32Array.of(1, 2, 3, 4, 5, 6).buffer)

/** What torch.save writes: the pickle, the byte order and the storages. */
export function torchFile(
  pickle: Uint8Array = stateOf(),
  storages: Readonly<Record<string, Uint8Array>> = {0: SIX},
): Buffer {
  return zip([
    {data: pickle, name: 'archive/data.pkl'},
    {data: bytes('little'), name: 'archive/byteorder'},
    ...Object.entries(storages).map(([key, data]) => ({data, name: `archive/data/${key}`})),
    {data: bytes('3\n'), name: 'archive/version'},
  ])
}
