/** The names of tensors in PEFT's files → what they are. Adapter names, as `default`, are not in files. */

/** One matrix of an update, one tensor that is carried whole, or a tensor of the base that is repeated. */
export type PeftTensor =
  | {
      readonly kind: 'lora'
      /** 'layers.0.mixer.in_proj', 'lm_head' */
      readonly module: string
      readonly matrix: 'A' | 'B'
    }
  | {readonly kind: 'embedding'; readonly matrix: 'A' | 'B'}
  | {
      readonly kind: 'full'
      /** In the checkpoint */
      readonly tensor: string
    }
  | {readonly kind: 'copy'; readonly tensor: string}
  | {readonly kind: 'unknown'; readonly reason: string}

const PREFIX = 'base_model.model.'

const LORA = /^(layers\.\d+\.mixer\.(?:in_proj|x_proj|dt_proj|out_proj)|lm_head)\.lora_([AB])\.weight$/
const EMBEDDING = /^embeddings?\.lora_embedding_([AB])$/
const BASE_LAYER = /^(.+)\.base_layer\.(weight|bias)$/
const TABLE = /^(?:embeddings?|lm_head)\.weight$/

export interface CarriedWhole {
  /** As the file of settings has them */
  readonly modulesToSave: readonly string[]
  readonly biases: boolean
}

export function peftTensor(name: string, {biases, modulesToSave}: CarriedWhole): PeftTensor {
  if (!name.startsWith(PREFIX)) return unknown('is not the name of a tensor that PEFT writes')
  // A model without a head has no `backbone` in front.
  const bare = name.slice(PREFIX.length).replace(/^backbone\./, '')
  const [, module, matrix] = LORA.exec(bare) ?? []
  if (module !== undefined) return {kind: 'lora', matrix: matrix as 'A' | 'B', module}
  const [, half] = EMBEDDING.exec(bare) ?? []
  if (half !== undefined) return {kind: 'embedding', matrix: half as 'A' | 'B'}
  const [, base, parameter] = BASE_LAYER.exec(bare) ?? []
  const plain = base === undefined ? bare : `${base}.${parameter}`
  const tensor = checkpointTensor(plain)
  if (biases && /bias$/.test(plain)) return {kind: 'full', tensor}
  if (modulesToSave.some((saved) => isOf(plain, saved))) return {kind: 'full', tensor}
  if (TABLE.test(plain)) return {kind: 'copy', tensor}
  return unknown(reasonFor(bare))
}

/** A module's weight or bias; PEFT takes every module whose name ends in the text. */
function isOf(plain: string, saved: string): boolean {
  return plain.replace(/\.\w+$/, '').endsWith(saved.replace(/^backbone\./, ''))
}

function checkpointTensor(plain: string): string {
  return plain.startsWith('lm_head.') ? plain : `backbone.${plain.replace(/^embedding\./, 'embeddings.')}`
}

const unknown = (reason: string): PeftTensor => ({kind: 'unknown', reason})

/** What is known to occur and cannot be carried out. */
function reasonFor(bare: string): string {
  if (/\.conv1d\.lora_/.test(bare)) {
    return "is LoRA on conv1d, which PEFT adds as a convolution across channels; Mamba's has none across channels, so no weight can hold it"
  }
  if (/lora_magnitude_vector$/.test(bare)) return 'belongs to DoRA, which this version does not read'
  return 'is neither a LoRA tensor of a projection, embedding or head, nor named by modules_to_save or bias'
}
