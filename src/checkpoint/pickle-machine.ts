/**
 * The stack, the memo and the bytes of the machine in pickle.ts. Every read is checked against the bytes that are left, and
 * the number of values is bounded.
 */
import {type PickleValue} from './pickle-values.js'

/** Values that a pickle may make; the largest models have some thousand tensors of ten to twenty each. */
const MOST_VALUES = 1_000_000

/** Bytes of a module's or a name's line. */
const LONGEST_NAME = 256

/** The pickle is not one of weights. */
export class Refused extends Error {}

export const MARK = Symbol('mark')

export class Machine {
  /** Of the opcode that is carried out */
  at = 0
  private next = 0
  private made = 0
  private readonly stack: (PickleValue | typeof MARK)[] = []
  private readonly memo = new Map<number, PickleValue>()
  private readonly view: DataView

  constructor(private readonly bytes: Uint8Array) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  /** The next opcode. */
  opcode(): number {
    this.at = this.next
    return this.byte()
  }

  /** The one value that is left at the end. */
  result(): PickleValue {
    const value = this.pop()
    if (this.stack.length > 0) throw new Refused(`${this.stack.length} more values than one are left at the end`)
    if (this.next < this.bytes.length) throw new Refused(`${this.bytes.length - this.next} bytes follow the end`)
    return value
  }

  push(value: PickleValue | typeof MARK): void {
    this.made += 1
    if (this.made > MOST_VALUES) throw new Refused(`there are more than ${MOST_VALUES} values`)
    this.stack.push(value)
  }

  pop(): PickleValue {
    const value = this.stack.pop()
    if (value === undefined || value === MARK) throw new Refused('a value is missing on the stack')
    return value
  }

  top(): PickleValue {
    const value = this.pop()
    this.stack.push(value)
    return value
  }

  /** All values above the last mark, which goes too. */
  popToMark(): PickleValue[] {
    const from = this.stack.lastIndexOf(MARK)
    if (from < 0) throw new Refused('a mark is missing on the stack')
    return this.stack.splice(from).slice(1) as PickleValue[]
  }

  remember(index: number): void {
    const value = this.top()
    this.memo.set(index, value)
  }

  get remembered(): number {
    return this.memo.size
  }

  recall(index: number): void {
    const value = this.memo.get(index)
    if (value === undefined) throw new Refused(`nothing was remembered under number ${index}`)
    this.push(value)
  }

  byte(): number {
    return this.bytes[this.take(1)]
  }

  uint16(): number {
    return this.view.getUint16(this.take(2), true)
  }

  uint32(): number {
    return this.view.getUint32(this.take(4), true)
  }

  int32(): number {
    return this.view.getInt32(this.take(4), true)
  }

  /** Whole numbers of up to eight bytes that a JavaScript number holds exactly. */
  long(): number {
    const length = this.byte()
    if (length > 8) throw new Refused(`a whole number of ${length} bytes is larger than any size in a file`)
    const at = this.take(length)
    let value = 0n
    for (let i = 0; i < length; i += 1) value |= BigInt(this.bytes[at + i]) << BigInt(8 * i)
    const number = Number(BigInt.asIntN(8 * length, value))
    if (!Number.isSafeInteger(number)) throw new Refused(`the number ${value} is larger than any size in a file`)
    return number
  }

  frame(): void {
    const length = this.view.getBigUint64(this.take(8), true)
    if (length > BigInt(this.bytes.length - this.next)) throw new Refused(`a frame of ${length} bytes is cut off`)
  }

  text(length: number): string {
    const at = this.take(length)
    try {
      return new TextDecoder('utf-8', {fatal: true, ignoreBOM: true}).decode(this.bytes.subarray(at, at + length))
    } catch {
      throw new Refused('a text is not in UTF-8')
    }
  }

  line(): string {
    const end = this.bytes.subarray(this.next, this.next + LONGEST_NAME).indexOf(0x0a)
    if (end < 0) throw new Refused(`a name does not end within ${LONGEST_NAME} bytes`)
    const text = this.text(end)
    this.take(1)
    return text
  }

  /** Steps over so many bytes, and returns where they begin. */
  private take(length: number): number {
    const at = this.next
    if (length > this.bytes.length - at) throw new Refused(`it is truncated: ${length} more bytes are expected`)
    this.next = at + length
    return at
  }
}
