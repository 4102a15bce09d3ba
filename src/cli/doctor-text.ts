/** What `mambatune doctor` prints for people before it checks kernels. The same facts are in its JSON. */
import {memoryText} from '../backend/gpu/memory-text.js'
import {type MachineReport} from '../report/doctor.js'
import {type GpuFindings} from '../report/gpu-findings.js'
import {formatTable} from './table.js'

export function doctorText(report: MachineReport): string {
  const {advice, auto, gpu, mambatune, node, platform} = report
  const [choice, why] = auto.description.split(/ \((.*)\)$/)
  const facts = formatTable([
    ['mambatune', `${mambatune} · Node ${node} · ${platform}`],
    ['auto takes', choice],
    ...(why ? [['', why]] : []),
  ])
  const parts = [facts, deviceTable(report)]
  if (gpu) parts.push(gpuTable(gpu))
  if (advice.length > 0) parts.push(['For a GPU install', ...advice.map((line) => `  ${line}`)].join('\n'))
  return parts.join('\n\n')
}

function deviceTable({gpu, gpu_problem: problem, tensorflow, threads}: MachineReport): string {
  const packages = tensorflow.map(({name, version}) => `${name} ${version}`)
  const rows = [
    ['gpu', gpu ? 'yes' : 'no', gpu ? gpu.name : (problem ?? '')],
    ...(gpu?.software ? [['', '', 'played by the processor: right, and slow']] : []),
    ['cpu', 'yes', `WebAssembly, ${threads} thread${threads === 1 ? '' : 's'}`],
    packages.length > 0
      ? ['tensorflow', 'yes', packages.join(', ')]
      : ['tensorflow', 'no', 'needs @tensorflow/tfjs-node-gpu or @tensorflow/tfjs-node'],
  ]
  return formatTable(rows, {header: ['DEVICE', 'HERE', 'WHAT IT IS']})
}

function gpuTable({architecture, driver, memory, name, traits, vendor}: GpuFindings): string {
  const rows = [
    ['made by', [vendor, architecture].filter((part) => part !== '').join(', ')],
    ['driver', driver],
    ['free memory', memory.bytes === null ? memory.source : `${memoryText(memory.bytes)}, ${memory.source}`],
    ...traits.map(({cost, text, trait}) => [trait, cost === null ? text : `${text}: ${cost}`]),
  ]
  return formatTable(rows, {header: ['GPU', name]})
}
