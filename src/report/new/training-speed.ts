/**
 * How fast a model trains on this machine: a few steps on random weights of its shape, or, where that would take long, of a smaller
 * one, whose speed is then scaled by the numbers of the models. No checkpoint is read, so it is known before one is downloaded.
 */
import {setImmediate} from 'node:timers/promises'
import {type DeviceChoice, startDevice} from '../../backend/devices.js'
import {type MambaConfig} from '../../model/config.js'
import {presetConfig} from '../../model/presets.js'
import {type AdapterSettings} from '../../peft/method-settings.js'
import {benchmark} from '../benchmark.js'
import {countParameters} from '../inspect-model.js'

export interface TrainingSpeed {
  /** Padding included */
  readonly tokensPerSecond: number
  /** Where the number comes from, to be read after 'speed: ' */
  readonly source: string
}

export interface SpeedQuestion {
  readonly config: MambaConfig
  /** The adapters for a model of this shape */
  readonly adapters: (config: MambaConfig) => readonly AdapterSettings[]
  readonly device: DeviceChoice
  /** Bytes; null: what there is */
  readonly gpuMemory: number | null
  /** Of a step */
  readonly rows: number
  readonly length: number
}

const STEPS = 2

/** A step on a processor takes as long as its tokens, whether they come in many rows or in few. */
const FEW = {length: 64, rows: 4}

/** Numbers of a model that is measured as it is; beyond, a step takes longer than anybody waits for a question. */
const LARGEST = {cpu: 20e6, gpu: 500e6, tensorflow: 200e6} as const

/** Starts the device, trains a few steps and ends the device. Errors: DeviceError, MemoryError. */
export async function measureSpeed(question: SpeedQuestion): Promise<TrainingSpeed> {
  const {config, device: choice, gpuMemory} = question
  const device = await startDevice(choice, {gpuMemory})
  try {
    const whole = countParameters(config)
    const limit = LARGEST[device.name]
    const stand = whole <= limit ? config : standIn(config, limit)
    const measured = countParameters(stand)
    const isQuick = device.name === 'gpu'
    const batch = isQuick ? question.rows : Math.min(question.rows, FEW.rows)
    const length = isQuick ? question.length : Math.min(question.length, FEW.length)
    const {tokens_per_second: speed} = await benchmark({
      adapters: question.adapters(stand),
      batch,
      config: stand,
      length,
      mode: 'train',
      profile: false,
      recompute: false,
      // Between two steps Ctrl+C can be heard.
      report: () => setImmediate(),
      steps: STEPS,
      warmup: 1,
    })
    const of = `${STEPS} steps of ${batch} × ${length} tokens on ${device.description}`
    if (stand === config) return {source: `measured here: ${of}`, tokensPerSecond: speed}
    return {
      source: `scaled by size from a model of ${millions(measured)} million numbers, measured here: ${of}`,
      tokensPerSecond: (speed * measured) / whole,
    }
  } finally {
    device.close()
  }
}

const millions = (count: number): string => String(Math.max(1, Math.round(count / 1e6)))

/** The same model with fewer layers, or where one is too many the small model of the package. */
function standIn(config: MambaConfig, limit: number): MambaConfig {
  for (let layers = config.layers; layers >= 2; layers = Math.floor(layers / 2)) {
    const fewer = {...config, layers}
    if (countParameters(fewer) <= limit) return fewer
  }
  return presetConfig('tiny')
}
