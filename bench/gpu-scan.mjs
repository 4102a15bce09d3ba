// The selective scan on the GPU, forward and backward, in several divisions: milliseconds and GB/s of what has to be moved.
// A star marks the division that the library itself would choose.
// Usage: node bench/gpu-scan.mjs [--only B,L,E] [--small] [--checked] [--f32]
import process from 'node:process'
import {parseArgs} from 'node:util'
import {startGpu} from '../dist/backend/gpu/gpu-device.js'
import {scanMatrixSumsGrid, scanMatrixSumsShader} from '../dist/ops/selective-scan/scan-matrix-sums.wgsl.js'
import {channelGroups, planScan, tunings} from '../dist/ops/selective-scan/scan-plan.js'
import {scanBackwardGrid, scanBackwardShader} from '../dist/ops/selective-scan/selective-scan-backward.wgsl.js'
import {scanForwardGrid, scanForwardShader} from '../dist/ops/selective-scan/selective-scan-forward.wgsl.js'

const {values: flags} = parseArgs({
  options: {checked: {type: 'boolean'}, f32: {type: 'boolean'}, only: {type: 'string'}, small: {type: 'boolean'}},
})
const N = 16
const RUNS = flags.small ? 2 : 20
const SIZES = flags.small
  ? [[1, 64, 64]]
  : [
      [8, 512, 1536],
      [32, 512, 1536],
      [4, 2048, 1536],
      [4, 512, 5120],
    ]
const format = flags.f32 ? 'f32' : 'f16'
const bytes = flags.f32 ? 4 : 2

const gpu = await startGpu({checked: flags.checked ?? false, precision: format})
if (!gpu) {
  console.log('no GPU')
  process.exit(1)
}
const host = gpu.backend
console.log(gpu.name, JSON.stringify(gpu.description.facts))
const free = (tensors) => tensors.forEach(({dataId}) => host.disposeData(dataId))

/** Forward tile, then: backward tile, interval, channels per lane, lanes. */
function* variants() {
  for (const lanes of [32, 64, 128, 256]) {
    for (const channelsPerLane of [1, 2, 4]) {
      for (const [backwardTile, interval] of [
        [8, 8],
        [8, 16],
        [8, 32],
        [16, 16],
        [16, 32],
        [4, 16],
      ]) {
        // Two vec4 of a lane's registers for each step and channel: more than this cannot be kept.
        if (backwardTile * channelsPerLane > 16) continue
        yield {backwardTile, channelsPerLane, forwardTile: 16, interval, lanes}
      }
    }
  }
}

/** Median milliseconds of one call: by timestamps where there are, else wall clock of many. */
async function time(call) {
  for (let warm = 0; warm < 3; warm++) free(call())
  await host.finish()
  if (!gpu.description.features.includes('timestamp-query')) {
    const began = performance.now()
    for (let run = 0; run < RUNS; run++) free(call())
    await host.finish()
    return (performance.now() - began) / RUNS
  }
  const each = []
  for (let run = 0; run < RUNS; run++) {
    const times = await host.profile(async () => free(call()))
    each.push(times.reduce((sum, {ms}) => sum + ms, 0))
  }
  return each.sort((a, b) => a - b)[RUNS >> 1]
}

function inputsOf(batch, length, channels) {
  const change = (seed) => host.randomUniform([batch, length, channels], format, 1, seed)
  const matrix = (seed) => host.randomUniform([batch, length, N], format, 1, seed)
  const [u, delta, z, dy] = [1, 2, 3, 4].map(change)
  const a = host.randomUniform([channels, N], 'f32', 1e-3, 7)
  const d = host.randomUniform([channels], 'f32', 1, 8)
  return {common: [u, delta, matrix(5), matrix(6), z, a, d], dy}
}

for (const [batch, length, channels] of SIZES) {
  if (flags.only && flags.only !== [batch, length, channels].join()) continue
  const {common, dy} = inputsOf(batch, length, channels)
  const whole = [length, 0, N, 0, N, 0, channels]
  const form = {
    b: format,
    batch,
    c: format,
    channels,
    delta: format,
    h0: null,
    states: N,
    stored: format,
    u: format,
    z: format,
  }
  const back = {...form, dLast: null, dy: format, wanted: 'inputs'}
  const change = {format, shape: [batch, length, channels]}
  const f32 = (shape) => ({format: 'f32', shape})
  const moved = batch * length * channels * bytes
  const chosen = JSON.stringify(tunings('backward', host.facts)[0])
  console.log(`\nB ${batch} L ${length} E ${channels} N ${N}, ${format}`)
  console.log(
    '   lanes channels tile interval | forward ms  GB/s | forward without saving | backward ms  GB/s | sums ms',
  )
  const seen = new Map()
  const timed = async (key, call) => {
    if (!seen.has(key)) seen.set(key, await time(call))
    return seen.get(key)
  }
  for (const tuning of variants()) {
    const forward = planScan('forward', form, host.facts, tuning)
    const backward = planScan('backward', form, host.facts, tuning)
    const surplus = channelGroups(forward) * forward.groupChannels > 2 * channels
    if (!forward.shuffles || !backward.shuffles || surplus) continue
    const kept = f32([batch, Math.ceil(length / tuning.interval), channels, forward.stateLanes * 4])
    const runForward = (recording) => () =>
      host.launch({
        grid: scanForwardGrid(form, host.facts, tuning),
        inputs: common,
        outputs: [change, f32([batch, channels, N]), ...(recording ? [kept] : [])],
        shader: scanForwardShader(form, recording, host.facts, tuning),
        whole,
      })
    const groups = channelGroups(backward)
    const rows = batch * length
    const partial = f32([groups, rows, 8 * backward.stateLanes])
    const [y, last, checkpoints] = runForward(true)()
    const runBackward = () =>
      host.launch({
        grid: scanBackwardGrid(back, host.facts, tuning),
        inputs: [...common, checkpoints, dy],
        outputs: [change, change, change, partial],
        shader: scanBackwardShader(back, host.facts, tuning),
        whole,
      })
    const [dU, dDelta, dZ, partials] = runBackward()
    const runSums = () =>
      host.launch({
        grid: scanMatrixSumsGrid(rows, backward.stateLanes),
        inputs: [partials],
        outputs: [f32([batch, length, N]), f32([batch, length, N])],
        shader: scanMatrixSumsShader(groups, N, backward.stateLanes),
        whole: [rows],
      })
    const {channelsPerLane, interval, lanes} = tuning
    const forwardKey = `f ${lanes} ${channelsPerLane} ${interval}`
    const keptBytes = (4 * batch * length * channels * N) / interval
    const partialBytes = 4 * groups * rows * 8 * backward.stateLanes
    const saving = await timed(forwardKey, runForward(true))
    const plain = await timed(`p ${lanes} ${channelsPerLane}`, runForward(false))
    const backMs = await time(runBackward)
    const sumsMs = await timed(`s ${groups}`, runSums)
    free([y, last, checkpoints, dU, dDelta, dZ, partials])
    const perSecond = (total, ms) => (total / ms / 1e6).toFixed(0).padStart(5)
    console.log(
      [
        JSON.stringify(tuning) === chosen ? '* ' : '  ',
        `${lanes}`.padStart(5),
        `${channelsPerLane}`.padStart(8),
        `${tuning.backwardTile}`.padStart(4),
        `${interval}`.padStart(8),
        '|',
        saving.toFixed(3).padStart(10),
        perSecond(4 * moved + keptBytes, saving),
        '|',
        plain.toFixed(3).padStart(22),
        '|',
        backMs.toFixed(3).padStart(11),
        perSecond(7 * moved + keptBytes + partialBytes, backMs),
        '|',
        sumsMs.toFixed(3),
      ].join(' '),
    )
  }
  free([...common, dy])
}
await host.finish()
gpu.close()
