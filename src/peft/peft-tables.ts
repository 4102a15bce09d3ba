/**
 * Updates of embedding and head as PEFT holds them. It knows the two as modules of their own, also where they are tied, so
 * an update of both uses is written once for each. That is right as long as it is attached: merged by PEFT, both land in
 * the one tensor.
 */
import {type MambaConfig} from '../model/config.js'
import {transposed} from './from-peft.js'
import {type LoraUpdate} from './lora-updates.js'
import {type ParameterValues} from './method.js'

const ofModule = (update: LoraUpdate, module: string): LoraUpdate => ({
  ...update,
  module,
  projection: module,
  site: module,
  slice: null,
})

/** Whether the updates can only be written by whoever knows if the model is tied. */
export function needsTies(updates: readonly LoraUpdate[]): boolean {
  return updates.some(({site}) => site === 'embeddings')
}

/** The same updates, each of one module of PEFT. */
export function byPeftModule(updates: readonly LoraUpdate[], model: MambaConfig | null): readonly LoraUpdate[] {
  return updates.flatMap((update) => {
    if (update.module !== 'embeddings') return [update]
    const input = ofModule(update, 'embeddings')
    return model?.tied && update.slice === null ? [input, ofModule(update, 'lm_head')] : [input]
  })
}

/** One matrix by its name in PEFT's file, and as it lies there. */
export function inPeftFile(module: string, matrix: 'A' | 'B', values: ParameterValues): [string, ParameterValues] {
  if (module === 'lm_head') return [`base_model.model.lm_head.lora_${matrix}.weight`, values]
  if (module !== 'embeddings') return [`base_model.model.backbone.${module}.lora_${matrix}.weight`, values]
  const other = matrix === 'A' ? 'B' : 'A'
  return [`base_model.model.backbone.embeddings.lora_embedding_${other}`, transposed(values)]
}
