import {describe, expect, test} from '@jest/globals'
import {readdir, readFile} from 'node:fs/promises'
import {crc32c, maskedCrc32c} from '../../src/checkpoint/tensorboard/crc32c.js'
import {EventFile, record} from '../../src/checkpoint/tensorboard/event-file.js'
import {scalarsEvent, startEvent, versionEvent} from '../../src/checkpoint/tensorboard/event-message.js'
import {workDirectory} from '../support/work-directory.js'

const bytes = (text: string): Uint8Array => Uint8Array.from(text.split(' '), (byte) => Number.parseInt(byte, 16))
const ascii = (text: string): Uint8Array => new TextEncoder().encode(text)

describe('CRC-32C', () => {
  test('has the values of RFC 3720, appendix B.4', () => {
    expect(crc32c(new Uint8Array(32))).toBe(0x8a_91_36_aa)
    expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62_a8_ab_43)
    expect(crc32c(Uint8Array.from({length: 32}, (_, index) => index))).toBe(0x46_dd_79_4e)
    expect(crc32c(ascii('123456789'))).toBe(0xe3_06_92_83)
  })

  test('masked is that in front of every file that TensorFlow writes: a first record of 24 bytes', () => {
    expect(maskedCrc32c(bytes('18 00 00 00 00 00 00 00'))).toBe(0x22_4b_7f_a3)
  })
})

describe('messages, byte for byte', () => {
  const SECONDS = '09 00 00 00 00 00 00 f8 3f' // field 1, eight bytes: 1.5

  test('the version', () => {
    const text = '1a 0d 62 72 61 69 6e 2e 45 76 65 6e 74 3a 32' // field 3, 13 bytes: brain.Event:2
    expect(versionEvent(1.5)).toEqual(bytes(`${SECONDS} 10 00 ${text}`))
  })

  test('scalars, with a step of two bytes', () => {
    const one = '0a 08 0a 01 61 15 00 00 00 3f' // a = 0.5
    const two = '0a 09 0a 02 c3 a9 15 00 00 80 bf' // é = −1
    const expected = bytes(`${SECONDS} 10 ac 02 2a 15 ${one} ${two}`)
    const scalars = [['a', 0.5] as const, ['é', -1] as const]
    expect(scalarsEvent(1.5, 300, scalars)).toEqual(expected)
  })

  test('the start of a session', () => {
    expect(startEvent(1.5, 7)).toEqual(bytes(`${SECONDS} 10 07 3a 02 08 01`))
  })
})

describe('a file', () => {
  const inWork = workDirectory()

  test('is records of length, content and the checksums of both', async () => {
    const file = await EventFile.create(inWork('a'), 4, () => 1.5)
    file.scalars(5, [['loss', 2]])
    await file.close()
    const [name] = await readdir(inWork('a'))
    expect(name).toBe('events.out.tfevents.1.mambatune.0')
    const content = await readFile(inWork('a', name))
    const messages = [versionEvent(1.5), startEvent(1.5, 5), scalarsEvent(1.5, 5, [['loss', 2]])]
    expect(content.equals(Buffer.concat(messages.map((message) => record(message))))).toBe(true)
    const [first] = messages
    expect(content.readBigUInt64LE(0)).toBe(BigInt(first.length))
    expect(content.readUInt32LE(8)).toBe(maskedCrc32c(content.subarray(0, 8)))
    expect(content.readUInt32LE(12 + first.length)).toBe(maskedCrc32c(first))
  })

  test('of the same second has a name of its own', async () => {
    for (const step of [0, 3]) await (await EventFile.create(inWork('b'), step, () => 9)).close()
    expect(await readdir(inWork('b'))).toHaveLength(2)
  })
})
