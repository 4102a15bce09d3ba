/**
 * What dropout adds to the memory of a training step. For each projection with dropout a mask and the inputs that it leaves
 * are kept, and in the backward pass there are two gradients of these inputs, before and after the mask; all in f32.
 */
import {resolveTargets} from '../peft/targets.js'
import {positionsOf, type StepShape, sum} from './memory-shape.js'

export interface DropoutBytes {
  readonly kept: number
  /** In the backward pass of a projection */
  readonly passing: number
}

export function dropoutBytes(shape: StepShape): DropoutBytes {
  const {adapters, checkpointing, config} = shape
  const widths = adapters.flatMap((settings) => {
    if (!('dropout' in settings) || settings.dropout === 0) return []
    const modules = new Map(resolveTargets(settings.targets, config).map((site) => [site.module, site.inputs]))
    return [...modules.values()]
  })
  const pair = (width: number): number => 2 * 4 * positionsOf(shape) * width
  // With block checkpointing the layers take turns.
  const kept = pair(sum(widths)) / (checkpointing === 'block' ? config.layers : 1)
  return {kept, passing: pair(Math.max(0, ...widths))}
}
