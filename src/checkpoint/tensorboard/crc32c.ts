/**
 * CRC-32C (Castagnoli), RFC 3720 appendix B.4: polynomial 0x1EDC6F41 with bits reflected, all ones before and after. Files of
 * records mask it, because the checksum of bytes that hold a checksum is a poor one:
 *
 *   masked = rotate right by 15 bits, + 0xa282ead8
 */
const POLYNOMIAL = 0x82_f6_3b_78 // reflected

const TABLE = Uint32Array.from({length: 256}, (_, byte) => {
  let remainder = byte
  for (let bit = 0; bit < 8; bit++) remainder = remainder & 1 ? (remainder >>> 1) ^ POLYNOMIAL : remainder >>> 1
  return remainder
})

export function crc32c(bytes: Uint8Array): number {
  let remainder = 0xff_ff_ff_ff
  for (const byte of bytes) remainder = (remainder >>> 8) ^ TABLE[(remainder ^ byte) & 0xff]
  return ~remainder >>> 0
}

export function maskedCrc32c(bytes: Uint8Array): number {
  const crc = crc32c(bytes)
  return (((crc >>> 15) | (crc << 17)) + 0xa2_82_ea_d8) >>> 0
}
