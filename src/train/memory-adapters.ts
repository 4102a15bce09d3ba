/**
 * What adapters make on the processor beside their own tensors, in numbers: factors that follow from them (the stacked ones of
 * PiSSA, the scaled ones of VeRA), each with its copies and gradients, and the results that DoRA scales.
 */
import {resolveTargets} from '../peft/targets.js'
import {type StepShape, sum} from './memory-shape.js'

export interface FactorNumbers {
  /** For each position of a layer: columns that DoRA scales. They are a result, a copy and a gradient more. */
  readonly gained: number
  /** Of a layer, until its backward pass is over */
  readonly factors: number
}

/** How often each number of a factor is there: results, copies of what operations read, and gradients of both. */
const HELD = {pissa: 8, vera: 5} as const

export function factorNumbers({adapters, config}: StepShape): FactorNumbers {
  const gained: number[] = []
  const factors: number[] = []
  for (const settings of adapters) {
    if (settings.method !== 'lora' && settings.method !== 'vera') continue
    for (const {from, inputs, to} of resolveTargets(settings.targets, config)) {
      const size = settings.rank * (inputs + to - from)
      if (settings.method === 'vera') factors.push(HELD.vera * size)
      else if (settings.init === 'pissa') factors.push(HELD.pissa * 2 * size)
      if (settings.method === 'lora' && settings.dora) gained.push(to - from)
    }
  }
  return {factors: sum(factors) / config.layers, gained: sum(gained) / config.layers}
}
