/**
 * The SSD scan of Mamba-2 on the processor: the loop behind src/ops/ssd-scan (contract and equations there).
 *
 * One work item is one sequence b and one part of the heads of a group (head-parts.ts). A head's state (P, N) is taken four
 * channels p at a time, states n in vectors of four, so that the state of the four stays in the nearest cache for all steps.
 * B and C are copied once an item into rows of whole vectors. The backward pass keeps the state at the start of every chunk,
 * recomputes one chunk at a time and walks it in reverse. dB and dC are sums over channels: each part of the heads writes its
 * own, and the caller adds the parts in a fixed order, so the bits do not depend on how many threads ran.
 */
import {handBack, isFirst} from './packed-rows'
import {exp4, gather4, load4, sigmoid4, softplus4, store4, sum4, TABLE, writeTable} from './simd'

/** Steps whose states are held at once: 64 steps of 128 states of 4 channels fill 128 KiB. */
const CHUNK: i32 = 64

/** Floats of a row of states, filled up to whole vectors. */
// @ts-ignore: decorator
@inline
function rowOf(states: i32): i32 {
  return (states + 3) & ~3
}

/** Numbers of steps, filled up to whole vectors. */
// @ts-ignore: decorator
@inline
function stepsOf(length: i32): i32 {
  return (length + 3) & ~3
}

/** Bytes of scratch that one thread needs forward: [constants | Δ | Ā | B | C | h]. */
export function ssdScanForwardScratch(length: i32, states: i32): i32 {
  return TABLE + 4 * (2 * stepsOf(length) + 2 * length * rowOf(states) + 4 * rowOf(states))
}

/** And backward: also [dB | dC | g | h0 | dh0 | a chunk of h | chunk starts], and four lanes each of [dΔ x | d log Ā] for each step. */
export function ssdScanBackwardScratch(length: i32, states: i32): i32 {
  const chunks = (length + CHUNK - 1) / CHUNK
  const rows = 2 * length + 12 + 4 * CHUNK + 4 * chunks
  return ssdScanForwardScratch(length, states) + 4 * (rows * rowOf(states) + 8 * length)
}

/** Δ and Ā = exp(Δ A) of one head for all steps. */
// prettier-ignore
function writeSteps(delta: usize, steps: usize, decays: usize, length: i32, heads: i32, rate: f32, low: f32, high: f32, table: usize): void {
  const least = f32x4.splat(low)
  const most = f32x4.splat(high)
  const rates = f32x4.splat(rate)
  const stride = <usize>(heads * 4)
  for (let t = 0; t < length; t += 4) {
    const raw = gather4(delta + <usize>t * stride, stride, min(4, length - t))
    const step = f32x4.pmin(f32x4.pmax(softplus4(raw, table), least), most)
    v128.store(steps + <usize>(t * 4), step)
    v128.store(decays + <usize>(t * 4), exp4(f32x4.mul(step, rates), table))
  }
}

/** Rows of `states` numbers that lie `stride` numbers apart → rows of whole vectors, one behind the other. */
function packRows(source: usize, target: usize, rows: i32, states: i32, stride: i32): void {
  const width = rowOf(states)
  for (let row = 0; row < rows; row++) {
    for (let n = 0; n < states; n += 4) {
      const value = load4(source + <usize>(row * stride + n) * 4, min(4, states - n))
      v128.store(target + <usize>(row * width + n) * 4, value)
    }
  }
}

/** The reverse of packRows. */
function unpackRows(source: usize, target: usize, rows: i32, states: i32, stride: i32): void {
  const width = rowOf(states)
  for (let row = 0; row < rows; row++) {
    for (let n = 0; n < states; n += 4) {
      const value = v128.load(source + <usize>(row * width + n) * 4)
      store4(target + <usize>(row * stride + n) * 4, value, min(4, states - n))
    }
  }
}

/** The states of up to four channels; zero where there is no channel, and where `source` is 0. */
function loadState(source: usize, target: usize, lanes: i32, states: i32): void {
  memory.fill(target, 0, <usize>(16 * rowOf(states)))
  if (source) packRows(source, target, lanes, states, states)
}

/** The sums of the four lanes of four vectors. */
// @ts-ignore: decorator
@inline
function sums4(a: v128, b: v128, c: v128, d: v128): v128 {
  const ab = f32x4.add(v128.shuffle<f32>(a, b, 0, 4, 1, 5), v128.shuffle<f32>(a, b, 2, 6, 3, 7))
  const cd = f32x4.add(v128.shuffle<f32>(c, d, 0, 4, 1, 5), v128.shuffle<f32>(c, d, 2, 6, 3, 7))
  return f32x4.add(v128.shuffle<f32>(ab, cd, 0, 1, 4, 5), v128.shuffle<f32>(ab, cd, 2, 3, 6, 7))
}

/** after ← Ā before + drive ⊗ B for four channels; returns Σ_n C after for each of them. */
function advance(before: usize, after: usize, b: usize, c: usize, decay: v128, drive: v128, width: i32): v128 {
  const row = <usize>(width * 4)
  const end = row
  const d0 = v128.shuffle<f32>(drive, drive, 0, 0, 0, 0)
  const d1 = v128.shuffle<f32>(drive, drive, 1, 1, 1, 1)
  const d2 = v128.shuffle<f32>(drive, drive, 2, 2, 2, 2)
  const d3 = v128.shuffle<f32>(drive, drive, 3, 3, 3, 3)
  let y0 = f32x4.splat(0.0)
  let y1 = y0
  let y2 = y0
  let y3 = y0
  for (let at: usize = 0; at < end; at += 16) {
    const input = v128.load(b + at)
    const output = v128.load(c + at)
    let from = before + at
    let to = after + at
    let h = f32x4.add(f32x4.mul(decay, v128.load(from)), f32x4.mul(d0, input))
    v128.store(to, h)
    y0 = f32x4.add(y0, f32x4.mul(h, output))
    from += row
    to += row
    h = f32x4.add(f32x4.mul(decay, v128.load(from)), f32x4.mul(d1, input))
    v128.store(to, h)
    y1 = f32x4.add(y1, f32x4.mul(h, output))
    from += row
    to += row
    h = f32x4.add(f32x4.mul(decay, v128.load(from)), f32x4.mul(d2, input))
    v128.store(to, h)
    y2 = f32x4.add(y2, f32x4.mul(h, output))
    from += row
    to += row
    h = f32x4.add(f32x4.mul(decay, v128.load(from)), f32x4.mul(d3, input))
    v128.store(to, h)
    y3 = f32x4.add(y3, f32x4.mul(h, output))
  }
  return sums4(y0, y1, y2, y3)
}

// prettier-ignore
export function ssdScanForward(
  x: usize, delta: usize, a: usize, b: usize, c: usize, d: usize, h0: usize, positions: usize, y: usize, last: usize,
  length: i32, heads: i32, size: i32, states: i32, groups: i32, part: i32, low: f32, high: f32,
  scratch: usize, scratchStride: i32, item: i32, thread: i32,
): void {
  const ofGroup = heads / groups
  const parts = (ofGroup + part - 1) / part
  const sequence = item / (groups * parts)
  const group = (item / parts) % groups
  const first = group * ofGroup + (item % parts) * part
  const end = min(first + part, (group + 1) * ofGroup)
  const channels = heads * size
  const width = rowOf(states)
  const table = scratch + <usize>(thread * scratchStride)
  const steps = table + TABLE
  const decays = steps + <usize>(stepsOf(length) * 4)
  const bs = decays + <usize>(stepsOf(length) * 4) // (L, N)
  const cs = bs + <usize>(length * width * 4) // (L, N)
  const h = cs + <usize>(length * width * 4) // (4, N)
  const matrix = <usize>((sequence * length * groups + group) * states * 4)
  writeTable(table)
  packRows(b + matrix, bs, length, states, groups * states)
  packRows(c + matrix, cs, length, states, groups * states)
  for (let head = first; head < end; head++) {
    const skip = f32x4.splat(load<f32>(d + <usize>(head * 4)))
    writeSteps(delta + <usize>(sequence * length * heads + head) * 4, steps, decays, length, heads, load<f32>(a + <usize>(head * 4)), low, high, table)
    for (let p = 0; p < size; p += 4) {
      const lanes = min(4, size - p)
      const state = <usize>(((sequence * heads + head) * size + p) * states * 4)
      loadState(h0 ? h0 + state : 0, h, lanes, states)
      let at = <usize>(sequence * length * channels + head * size + p) * 4
      for (let t = 0; t < length; t++) {
        const input = load4(x + at, lanes)
        const drive = f32x4.mul(v128.load32_splat(steps + <usize>(t * 4)), input)
        const row = <usize>(t * width * 4)
        if (isFirst(positions, sequence * length + t)) loadState(h0 ? h0 + state : 0, h, lanes, states)
        const out = advance(h, h, bs + row, cs + row, v128.load32_splat(decays + <usize>(t * 4)), drive, width)
        store4(y + at, f32x4.add(out, f32x4.mul(skip, input)), lanes)
        at += <usize>(channels * 4)
      }
      unpackRows(h, last + state, lanes, states, states)
    }
  }
}

/** As advance, with dC += Σ_p dy h for what comes after instead of y. */
function advanceBack(before: usize, after: usize, b: usize, dC: usize, decay: v128, drive: v128, dy: v128, width: i32): void {
  const row = <usize>(width * 4)
  const end = row
  const d0 = v128.shuffle<f32>(drive, drive, 0, 0, 0, 0)
  const d1 = v128.shuffle<f32>(drive, drive, 1, 1, 1, 1)
  const d2 = v128.shuffle<f32>(drive, drive, 2, 2, 2, 2)
  const d3 = v128.shuffle<f32>(drive, drive, 3, 3, 3, 3)
  const g0 = v128.shuffle<f32>(dy, dy, 0, 0, 0, 0)
  const g1 = v128.shuffle<f32>(dy, dy, 1, 1, 1, 1)
  const g2 = v128.shuffle<f32>(dy, dy, 2, 2, 2, 2)
  const g3 = v128.shuffle<f32>(dy, dy, 3, 3, 3, 3)
  for (let at: usize = 0; at < end; at += 16) {
    const input = v128.load(b + at)
    let from = before + at
    let to = after + at
    let h = f32x4.add(f32x4.mul(decay, v128.load(from)), f32x4.mul(d0, input))
    v128.store(to, h)
    let sum = f32x4.add(v128.load(dC + at), f32x4.mul(h, g0))
    from += row
    to += row
    h = f32x4.add(f32x4.mul(decay, v128.load(from)), f32x4.mul(d1, input))
    v128.store(to, h)
    sum = f32x4.add(sum, f32x4.mul(h, g1))
    from += row
    to += row
    h = f32x4.add(f32x4.mul(decay, v128.load(from)), f32x4.mul(d2, input))
    v128.store(to, h)
    sum = f32x4.add(sum, f32x4.mul(h, g2))
    from += row
    to += row
    h = f32x4.add(f32x4.mul(decay, v128.load(from)), f32x4.mul(d3, input))
    v128.store(to, h)
    v128.store(dC + at, f32x4.add(sum, f32x4.mul(h, g3)))
  }
}

/** g ← g + dy ⊗ C for four channels, dB += Σ_p drive g; returns Σ_n g B for each of them. */
function gather(g: usize, b: usize, c: usize, dB: usize, dy: v128, drive: v128, width: i32): v128 {
  const row = <usize>(width * 4)
  const end = row
  const d0 = v128.shuffle<f32>(drive, drive, 0, 0, 0, 0)
  const d1 = v128.shuffle<f32>(drive, drive, 1, 1, 1, 1)
  const d2 = v128.shuffle<f32>(drive, drive, 2, 2, 2, 2)
  const d3 = v128.shuffle<f32>(drive, drive, 3, 3, 3, 3)
  const g0 = v128.shuffle<f32>(dy, dy, 0, 0, 0, 0)
  const g1 = v128.shuffle<f32>(dy, dy, 1, 1, 1, 1)
  const g2 = v128.shuffle<f32>(dy, dy, 2, 2, 2, 2)
  const g3 = v128.shuffle<f32>(dy, dy, 3, 3, 3, 3)
  let s0 = f32x4.splat(0.0)
  let s1 = s0
  let s2 = s0
  let s3 = s0
  for (let at: usize = 0; at < end; at += 16) {
    const input = v128.load(b + at)
    const output = v128.load(c + at)
    let to = g + at
    let grad = f32x4.add(v128.load(to), f32x4.mul(g0, output))
    v128.store(to, grad)
    s0 = f32x4.add(s0, f32x4.mul(grad, input))
    let sum = f32x4.add(v128.load(dB + at), f32x4.mul(grad, d0))
    to += row
    grad = f32x4.add(v128.load(to), f32x4.mul(g1, output))
    v128.store(to, grad)
    s1 = f32x4.add(s1, f32x4.mul(grad, input))
    sum = f32x4.add(sum, f32x4.mul(grad, d1))
    to += row
    grad = f32x4.add(v128.load(to), f32x4.mul(g2, output))
    v128.store(to, grad)
    s2 = f32x4.add(s2, f32x4.mul(grad, input))
    sum = f32x4.add(sum, f32x4.mul(grad, d2))
    to += row
    grad = f32x4.add(v128.load(to), f32x4.mul(g3, output))
    v128.store(to, grad)
    s3 = f32x4.add(s3, f32x4.mul(grad, input))
    v128.store(dB + at, f32x4.add(sum, f32x4.mul(grad, d3)))
  }
  return sums4(s0, s1, s2, s3)
}

/** g ← Ā g; returns Σ Ā g before, whose four lanes add up to dL / d(Δ A). */
function decayBack(g: usize, before: usize, decay: v128, width: i32): v128 {
  const end = <usize>(width * 16)
  let sum0 = f32x4.splat(0.0)
  let sum1 = sum0
  let sum2 = sum0
  let sum3 = sum0
  for (let at: usize = 0; at < end; at += 64) {
    let grad = f32x4.mul(decay, v128.load(g + at))
    v128.store(g + at, grad)
    sum0 = f32x4.add(sum0, f32x4.mul(grad, v128.load(before + at)))
    grad = f32x4.mul(decay, v128.load(g + at, 16))
    v128.store(g + at, grad, 16)
    sum1 = f32x4.add(sum1, f32x4.mul(grad, v128.load(before + at, 16)))
    grad = f32x4.mul(decay, v128.load(g + at, 32))
    v128.store(g + at, grad, 32)
    sum2 = f32x4.add(sum2, f32x4.mul(grad, v128.load(before + at, 32)))
    grad = f32x4.mul(decay, v128.load(g + at, 48))
    v128.store(g + at, grad, 48)
    sum3 = f32x4.add(sum3, f32x4.mul(grad, v128.load(before + at, 48)))
  }
  return f32x4.add(f32x4.add(sum0, sum1), f32x4.add(sum2, sum3))
}

// prettier-ignore
export function ssdScanBackward(
  x: usize, delta: usize, a: usize, b: usize, c: usize, d: usize, h0: usize, positions: usize, dy: usize, dLast: usize,
  dX: usize, dDelta: usize, dA: usize, dB: usize, dC: usize, dD: usize, dH0: usize,
  length: i32, heads: i32, size: i32, states: i32, groups: i32, part: i32, low: f32, high: f32, batch: i32,
  scratch: usize, scratchStride: i32, item: i32, thread: i32,
): void {
  const ofGroup = heads / groups
  const parts = (ofGroup + part - 1) / part
  const sequence = item / (groups * parts)
  const group = (item / parts) % groups
  const first = group * ofGroup + (item % parts) * part
  const end = min(first + part, (group + 1) * ofGroup)
  const channels = heads * size
  const width = rowOf(states)
  const rowBytes = <usize>(width * 4)
  const chunks = (length + CHUNK - 1) / CHUNK
  const table = scratch + <usize>(thread * scratchStride)
  const steps = table + TABLE
  const decays = steps + <usize>(stepsOf(length) * 4)
  const bs = decays + <usize>(stepsOf(length) * 4) // (L, N)
  const cs = bs + <usize>length * rowBytes // (L, N)
  const h = cs + <usize>length * rowBytes // (4, N)
  const dBs = h + 4 * rowBytes // (L, N)
  const dCs = dBs + <usize>length * rowBytes // (L, N)
  const g = dCs + <usize>length * rowBytes // (4, N) gradient of the state
  const begin = g + 4 * rowBytes // (4, N) h0
  const dBegin = begin + 4 * rowBytes // (4, N) gradient of h0 from the sequences that began
  const hs = dBegin + 4 * rowBytes // (CHUNK, 4, N) states after each step
  const starts = hs + <usize>(4 * CHUNK) * rowBytes // (chunks, 4, N)
  const dDrives = starts + <usize>(4 * chunks) * rowBytes // (L) Σ_p of dΔ from the drive, four lanes still apart
  const dLogs = dDrives + <usize>(length * 16) // (L) dL / d(Δ A), four lanes still apart
  const matrix = <usize>((sequence * length * groups + group) * states * 4)
  writeTable(table)
  packRows(b + matrix, bs, length, states, groups * states)
  packRows(c + matrix, cs, length, states, groups * states)
  memory.fill(dBs, 0, 2 * <usize>length * rowBytes)
  for (let head = first; head < end; head++) {
    const skip = f32x4.splat(load<f32>(d + <usize>(head * 4)))
    let dSkip = f32x4.splat(0.0)
    writeSteps(delta + <usize>(sequence * length * heads + head) * 4, steps, decays, length, heads, load<f32>(a + <usize>(head * 4)), low, high, table)
    memory.fill(dDrives, 0, <usize>(length * 32))
    for (let p = 0; p < size; p += 4) {
      const lanes = min(4, size - p)
      const state = <usize>(((sequence * heads + head) * size + p) * states * 4)
      const column = <usize>(sequence * length * channels + head * size + p) * 4
      loadState(dLast ? dLast + state : 0, g, lanes, states)
      loadState(h0 ? h0 + state : 0, starts, lanes, states)
      loadState(h0 ? h0 + state : 0, begin, lanes, states)
      loadState(0, dBegin, lanes, states)
      for (let chunk = 0; chunk < chunks - 1; chunk++) {
        const next = starts + <usize>(4 * (chunk + 1)) * rowBytes
        memory.copy(next, next - 4 * rowBytes, 4 * rowBytes)
        for (let t = chunk * CHUNK; t < (chunk + 1) * CHUNK; t++) {
          const drive = f32x4.mul(v128.load32_splat(steps + <usize>(t * 4)), load4(x + column + <usize>(t * channels * 4), lanes))
          const before = isFirst(positions, sequence * length + t) ? begin : next
          advance(before, next, bs + <usize>t * rowBytes, cs + <usize>t * rowBytes, v128.load32_splat(decays + <usize>(t * 4)), drive, width)
        }
      }
      for (let chunk = chunks - 1; chunk >= 0; chunk--) {
        const from = chunk * CHUNK
        const until = min(from + CHUNK, length)
        const start = starts + <usize>(4 * chunk) * rowBytes
        for (let t = from; t < until; t++) {
          const at = column + <usize>(t * channels * 4)
          const here = hs + <usize>(4 * (t - from)) * rowBytes
          const drive = f32x4.mul(v128.load32_splat(steps + <usize>(t * 4)), load4(x + at, lanes))
          const before = isFirst(positions, sequence * length + t) ? begin : t == from ? start : here - 4 * rowBytes
          advanceBack(before, here, bs + <usize>t * rowBytes, dCs + <usize>t * rowBytes, v128.load32_splat(decays + <usize>(t * 4)), drive, load4(dy + at, lanes), width)
        }
        for (let t = until - 1; t >= from; t--) {
          const at = column + <usize>(t * channels * 4)
          const here = hs + <usize>(4 * (t - from)) * rowBytes
          const input = load4(x + at, lanes)
          const dOut = load4(dy + at, lanes)
          const step = v128.load32_splat(steps + <usize>(t * 4))
          const dDrive = gather(g, bs + <usize>t * rowBytes, cs + <usize>t * rowBytes, dBs + <usize>t * rowBytes, dOut, f32x4.mul(step, input), width)
          const begins = isFirst(positions, sequence * length + t)
          const before = begins ? begin : t == from ? start : here - 4 * rowBytes
          const dLog = decayBack(g, before, v128.load32_splat(decays + <usize>(t * 4)), width)
          if (begins) handBack(g, dBegin, width)
          const sums = dDrives + <usize>(t * 16)
          v128.store(sums, f32x4.add(v128.load(sums), f32x4.mul(dDrive, input)))
          const logs = dLogs + <usize>(t * 16)
          v128.store(logs, f32x4.add(v128.load(logs), dLog))
          dSkip = f32x4.add(dSkip, f32x4.mul(dOut, input))
          store4(dX + at, f32x4.add(f32x4.mul(dOut, skip), f32x4.mul(dDrive, step)), lanes)
        }
      }
      handBack(g, dBegin, width)
      unpackRows(dBegin, dH0 + state, lanes, states, states)
    }
    const rate = load<f32>(a + <usize>(head * 4))
    let dRate: f32 = 0
    for (let t = 0; t < length; t++) {
      const at = <usize>((sequence * length + t) * heads + head) * 4
      const dLog = sum4(v128.load(dLogs + <usize>(t * 16)))
      const dStep = sum4(v128.load(dDrives + <usize>(t * 16))) + rate * dLog
      dRate += dLog * load<f32>(steps + <usize>(t * 4))
      store<f32>(dDelta + at, dStep * slope(v128.load32_splat(delta + at), low, high, table))
    }
    store<f32>(dA + <usize>(sequence * heads + head) * 4, dRate)
    store<f32>(dD + <usize>(sequence * heads + head) * 4, sum4(dSkip))
  }
  const target = <usize>((item % parts) * batch * length * groups * states * 4) + matrix
  unpackRows(dBs, dB + target, length, states, groups * states)
  unpackRows(dCs, dC + target, length, states, groups * states)
}

/** The slope of clamp(softplus(x)): 0 outside the limits, and NaN stays NaN. */
function slope(raw: v128, low: f32, high: f32, table: usize): f32 {
  const step = f32x4.extract_lane(softplus4(raw, table), 0)
  return step < low || step > high ? 0 : f32x4.extract_lane(sigmoid4(raw, table), 0)
}
