/**
 * The selective scan of Mamba-1 on the processor: the loop behind src/ops/selective-scan (contract and equations there).
 *
 * One work item is one sequence b and one group of channels; four channels e share a vector, the states n are the
 * inner loop. The backward pass keeps the state at the start of every chunk, recomputes one chunk at a time and walks it
 * in reverse, so scratch memory does not grow with L · E · N. dB and dC are sums over channels: each group writes its own
 * partial sum, and the caller adds the groups in a fixed order, so the bits do not depend on how many threads ran.
 * A is held divided by ln 2, so that exp(Δ A) is a power of two without another product. The loops over states are kept
 * short and apart, because V8 spills registers in long ones: one loop each way took twice the time (35 → 16 ms forward,
 * 49 → 28 ms backward for B 8, L 128, E 512, N 16 on one core).
 */
import {handBack, isFirst} from './packed-rows'
import {exp2, gather4, ln2, load4, perLn2, scatter4, sigmoid4, siluSlope, softplus4, store4, sum4, TABLE, writeTable} from './simd'

/** Steps whose states are held at once. 128 steps of 16 states of 4 channels fill 32 KiB. */
const CHUNK: i32 = 128

/** Bytes of scratch that one thread needs: [constants | A | h | Ā | h0 | g | dA | dh0] and per chunk [h | Ā | dB | dC | y], and the chunk starts. */
export function selectiveScanScratch(length: i32, states: i32, group: i32): i32 {
  const chunks = (length + CHUNK - 1) / CHUNK
  const blocks = (group + 3) / 4
  return TABLE + states * 16 * (4 + 3 * blocks + 4 * CHUNK + chunks * blocks) + 16 * (CHUNK + blocks)
}

// prettier-ignore
export function selectiveScanForward(
  u: usize, delta: usize, a: usize, b: usize, c: usize, d: usize, z: usize, h0: usize, positions: usize, y: usize, last: usize,
  length: i32, channels: i32, states: i32, group: i32, scratch: usize, scratchStride: i32, item: i32, thread: i32,
): void {
  const groups = (channels + group - 1) / group
  const sequence = item / groups
  const first = (item % groups) * group
  const end = min(first + group, channels)
  const table = scratch + <usize>(thread * scratchStride)
  const aBlock = table + TABLE
  const h = aBlock + <usize>(states * 16)
  const decays = h + <usize>(states * 16)
  writeTable(table)
  for (let e = first; e < end; e += 4) {
    const lanes = min(4, end - e)
    loadDecayRates(a + <usize>(e * states * 4), aBlock, states, lanes, table)
    loadState(h0, h, sequence, e, channels, states, lanes)
    const skip = load4(d + <usize>(e * 4), lanes)
    for (let t = 0; t < length; t++) {
      const row = <usize>((sequence * length + t) * channels + e) * 4
      const bc = <usize>((sequence * length + t) * states) * 4
      const input = load4(u + row, lanes)
      const step = softplus4(load4(delta + row, lanes), table)
      if (isFirst(positions, sequence * length + t)) loadState(h0, h, sequence, e, channels, states, lanes)
      const out = advance(h, h, decays, aBlock, b + bc, c + bc, step, f32x4.mul(step, input), states, table)
      const gate = load4(z + row, lanes)
      const value = f32x4.add(out, f32x4.mul(skip, input))
      store4(y + row, f32x4.mul(value, f32x4.mul(gate, sigmoid4(gate, table))), lanes)
    }
    const target = last + <usize>((sequence * channels + e) * states * 4)
    for (let n = 0; n < states; n++) scatter4(target + <usize>(n * 4), states * 4, v128.load(h + <usize>(n * 16)), lanes)
  }
}

/** after ← exp(Δ A) before + Δ u B, with exp(Δ A) left in `decays`; returns Σ_n C after. */
// prettier-ignore
function advance(
  before: usize, after: usize, decays: usize, a: usize, b: usize, c: usize, step: v128, drive: v128, states: i32, table: usize,
): v128 {
  for (let n = 0; n < states; n++) {
    const at = <usize>(n * 16)
    v128.store(decays + at, exp2(f32x4.mul(step, v128.load(a + at)), table))
  }
  let out = f32x4.splat(0.0)
  for (let n = 0; n < states; n++) {
    const at = <usize>(n * 16)
    const driven = f32x4.mul(drive, v128.load32_splat(b + <usize>(n * 4)))
    const next = f32x4.add(f32x4.mul(v128.load(decays + at), v128.load(before + at)), driven)
    v128.store(after + at, next)
    out = f32x4.add(out, f32x4.mul(next, v128.load32_splat(c + <usize>(n * 4))))
  }
  return out
}

function loadBlock(source: usize, target: usize, states: i32, lanes: i32): void {
  for (let n = 0; n < states; n++) v128.store(target + <usize>(n * 16), gather4(source + <usize>(n * 4), states * 4, lanes))
}

/** A of four channels, divided by ln 2. */
function loadDecayRates(source: usize, target: usize, states: i32, lanes: i32, table: usize): void {
  for (let n = 0; n < states; n++) {
    const rate = f32x4.mul(gather4(source + <usize>(n * 4), states * 4, lanes), perLn2(table))
    v128.store(target + <usize>(n * 16), rate)
  }
}

/** The state of four channels of one sequence, zero where no first state is given. */
function loadState(source: usize, target: usize, sequence: i32, e: i32, channels: i32, states: i32, lanes: i32): void {
  if (source) loadBlock(source + <usize>((sequence * channels + e) * states * 4), target, states, lanes)
  else memory.fill(target, 0, states * 16)
}

// prettier-ignore
export function selectiveScanBackward(
  u: usize, delta: usize, a: usize, b: usize, c: usize, d: usize, z: usize, h0: usize, positions: usize, dy: usize, dLast: usize,
  dU: usize, dDelta: usize, dA: usize, dB: usize, dC: usize, dD: usize, dZ: usize, dH0: usize,
  batch: i32, length: i32, channels: i32, states: i32, group: i32, scratch: usize, scratchStride: i32, item: i32, thread: i32,
): void {
  const groups = (channels + group - 1) / group
  const sequence = item / groups
  const part = item % groups
  const first = part * group
  const end = min(first + group, channels)
  const blocks = (end - first + 3) / 4
  const width = states * 16
  const chunks = (length + CHUNK - 1) / CHUNK
  const table = scratch + <usize>(thread * scratchStride)
  const aBlock = table + TABLE
  const h = aBlock + <usize>width
  const single = h + <usize>width // Ā of one step, where it is not kept
  const begin = single + <usize>width // h0 of the block at hand
  const gAll = begin + <usize>width // (blocks, N) gradient of the state
  const dAAll = gAll + <usize>(blocks * width) // (blocks, N)
  const dBeginAll = dAAll + <usize>(blocks * width) // (blocks, N) gradient of h0 from the sequences that began
  const hs = dBeginAll + <usize>(blocks * width) // (CHUNK, N) states after each step
  const decays = hs + <usize>(CHUNK * width) // (CHUNK, N)
  const dBSum = decays + <usize>(CHUNK * width) // (CHUNK, N) four lanes still apart
  const dCSum = dBSum + <usize>(CHUNK * width)
  const starts = dCSum + <usize>(CHUNK * width) // (chunks, blocks, N)
  const values = starts + <usize>(chunks * blocks * width) // (CHUNK) y before the gate
  const dDAll = values + <usize>(CHUNK * 16) // (blocks)
  writeTable(table)
  memory.fill(dAAll, 0, 2 * blocks * width)
  memory.fill(dDAll, 0, blocks * 16)

  for (let k = 0; k < blocks; k++) {
    const e = first + k * 4
    const lanes = min(4, end - e)
    loadState(dLast, gAll + <usize>(k * width), sequence, e, channels, states, lanes)
    loadDecayRates(a + <usize>(e * states * 4), aBlock, states, lanes, table)
    loadState(h0, h, sequence, e, channels, states, lanes)
    for (let chunk = 0; chunk < chunks; chunk++) {
      memory.copy(starts + <usize>((chunk * blocks + k) * width), h, width)
      if (chunk == chunks - 1) break // the last chunk is recomputed below; its end is not needed
      for (let t = chunk * CHUNK; t < (chunk + 1) * CHUNK; t++) {
        const row = <usize>((sequence * length + t) * channels + e) * 4
        const bc = <usize>((sequence * length + t) * states) * 4
        const step = softplus4(load4(delta + row, lanes), table)
        if (isFirst(positions, sequence * length + t)) loadState(h0, h, sequence, e, channels, states, lanes)
        advance(h, h, single, aBlock, b + bc, c + bc, step, f32x4.mul(step, load4(u + row, lanes)), states, table)
      }
    }
  }

  for (let chunk = chunks - 1; chunk >= 0; chunk--) {
    const from = chunk * CHUNK
    const steps = min(CHUNK, length - from)
    memory.fill(dBSum, 0, steps * width)
    memory.fill(dCSum, 0, steps * width)
    for (let k = 0; k < blocks; k++) {
      const e = first + k * 4
      const lanes = min(4, end - e)
      const g = gAll + <usize>(k * width)
      const dABlock = dAAll + <usize>(k * width)
      const dBegin = dBeginAll + <usize>(k * width)
      const start = starts + <usize>((chunk * blocks + k) * width)
      loadState(h0, begin, sequence, e, channels, states, lanes)
      const skip = load4(d + <usize>(e * 4), lanes)
      loadDecayRates(a + <usize>(e * states * 4), aBlock, states, lanes, table)
      for (let i = 0; i < steps; i++) {
        const row = <usize>((sequence * length + from + i) * channels + e) * 4
        const bc = <usize>((sequence * length + from + i) * states) * 4
        const input = load4(u + row, lanes)
        const step = softplus4(load4(delta + row, lanes), table)
        const begins = isFirst(positions, sequence * length + from + i)
        const before = begins ? begin : i == 0 ? start : hs + <usize>((i - 1) * width)
        const here = <usize>(i * width)
        const out = advance(before, hs + here, decays + here, aBlock, b + bc, c + bc, step, f32x4.mul(step, input), states, table)
        v128.store(values + <usize>(i * 16), f32x4.add(out, f32x4.mul(skip, input)))
      }
      let dSkip = v128.load(dDAll + <usize>(k * 16))
      for (let i = steps - 1; i >= 0; i--) {
        const row = <usize>((sequence * length + from + i) * channels + e) * 4
        const bc = <usize>((sequence * length + from + i) * states) * 4
        const input = load4(u + row, lanes)
        const raw = load4(delta + row, lanes)
        const step = softplus4(raw, table)
        const gate = load4(z + row, lanes)
        const open = sigmoid4(gate, table)
        const dOut = load4(dy + row, lanes)
        const slope = siluSlope(gate, open, table)
        store4(dZ + row, f32x4.mul(dOut, f32x4.mul(v128.load(values + <usize>(i * 16)), slope)), lanes)
        const dValue = f32x4.mul(dOut, f32x4.mul(gate, open))
        dSkip = f32x4.add(dSkip, f32x4.mul(dValue, input))

        const drive = f32x4.mul(step, input)
        const begins = isFirst(positions, sequence * length + from + i)
        const before = begins ? begin : i == 0 ? start : hs + <usize>((i - 1) * width)
        let dStep = f32x4.splat(0.0)
        let dDrive = f32x4.splat(0.0)
        for (let n = 0; n < states; n++) {
          const at = <usize>(n * 16)
          const here = <usize>(i * width) + at
          const scalar = bc + <usize>(n * 4)
          const grad = f32x4.add(v128.load(g + at), f32x4.mul(dValue, v128.load32_splat(c + scalar)))
          v128.store(g + at, grad)
          v128.store(dCSum + here, f32x4.add(v128.load(dCSum + here), f32x4.mul(dValue, v128.load(hs + here))))
          v128.store(dBSum + here, f32x4.add(v128.load(dBSum + here), f32x4.mul(grad, drive)))
          dDrive = f32x4.add(dDrive, f32x4.mul(grad, v128.load32_splat(b + scalar)))
        }
        for (let n = 0; n < states; n++) {
          const at = <usize>(n * 16)
          const carried = f32x4.mul(v128.load(g + at), v128.load(decays + <usize>(i * width) + at))
          const dLog = f32x4.mul(carried, v128.load(before + at)) // dL / d(Δ A)
          dStep = f32x4.add(dStep, f32x4.mul(dLog, v128.load(aBlock + at)))
          v128.store(dABlock + at, f32x4.add(v128.load(dABlock + at), f32x4.mul(dLog, step)))
          v128.store(g + at, carried)
        }
        if (begins) handBack(g, dBegin, states)
        dStep = f32x4.mul(dStep, ln2(table)) // A was divided by ln 2
        store4(dU + row, f32x4.add(f32x4.mul(dValue, skip), f32x4.mul(dDrive, step)), lanes)
        store4(dDelta + row, f32x4.mul(f32x4.add(dStep, f32x4.mul(dDrive, input)), sigmoid4(raw, table)), lanes)
      }
      v128.store(dDAll + <usize>(k * 16), dSkip)
    }
    const rows = <usize>(((part * batch + sequence) * length + from) * states) * 4
    for (let i = 0; i < steps * states; i++) {
      store<f32>(dB + rows + <usize>(i * 4), sum4(v128.load(dBSum + <usize>(i * 16))))
      store<f32>(dC + rows + <usize>(i * 4), sum4(v128.load(dCSum + <usize>(i * 16))))
    }
  }

  for (let k = 0; k < blocks; k++) {
    const e = first + k * 4
    const lanes = min(4, end - e)
    const target = <usize>((sequence * channels + e) * states * 4)
    for (let n = 0; n < states; n++) {
      const at = <usize>(k * width + n * 16)
      scatter4(dA + target + <usize>(n * 4), states * 4, v128.load(dAAll + at), lanes)
      scatter4(dH0 + target + <usize>(n * 4), states * 4, f32x4.add(v128.load(gAll + at), v128.load(dBeginAll + at)), lanes)
    }
    store4(dD + <usize>((sequence * channels + e) * 4), v128.load(dDAll + <usize>(k * 16)), lanes)
  }
}
