/** What `mambatune bench` prints for people. The same figures, and more, are in its JSON. */
import {type BenchReport} from '../report/benchmark.js'
import {type KernelWork} from '../report/kernel-work.js'
import {formatCount} from './format.js'
import {formatTable} from './table.js'

/** Kernels in the table of a profile. */
const SHOWN = 20

export function benchText(report: BenchReport): string {
  const {batch, device, kernels, length, loss, mode, ms_per_step: ms, parameters, peak_gpu_bytes: peak} = report
  const shape = mode === 'decode' ? `${batch} sequences, ${length} tokens made for each` : `${batch} × ${length} tokens`
  const facts = formatTable([
    ['device', device],
    [
      'model',
      `${report.preset}, ${formatCount(parameters)} parameters, ${formatCount(report.trainable_parameters)} trained`,
    ],
    ['step', `${mode}, ${shape}`],
    ['tokens per second', formatCount(Math.round(report.tokens_per_second))],
    ['per step', `${ms.toFixed(2)} ms (${report.fastest_ms.toFixed(2)} to ${report.slowest_ms.toFixed(2)})`],
    ...(loss === null ? [] : [['loss', loss.toFixed(4)]]),
    ...(peak === null ? [] : [['peak GPU memory', `${(peak / 2 ** 30).toFixed(2)} GiB`]]),
  ])
  return kernels === null ? facts : `${facts}\n\n${profileText(kernels)}`
}

function profileText(kernels: readonly KernelWork[]): string {
  const total = kernels.reduce((sum, {ms}) => sum + ms, 0)
  const rows = kernels
    .slice(0, SHOWN)
    .map(({calls, gb_per_second: rate, kernel, ms, share, tflops}) => [
      kernel,
      formatCount(calls),
      ms.toFixed(3),
      `${(100 * share).toFixed(1)} %`,
      tflops === null ? '' : tflops.toFixed(1),
      rate === null ? '' : formatCount(Math.round(rate)),
    ])
  const table = formatTable(rows, {
    align: ['left', 'right', 'right', 'right', 'right', 'right'],
    header: ['KERNEL', 'CALLS', 'MS', 'SHARE', 'TFLOP/S', 'GB/S'],
  })
  const more = kernels.length > SHOWN ? `\n… and ${kernels.length - SHOWN} more` : ''
  return `${table}${more}\nall kernels: ${total.toFixed(2)} ms`
}
