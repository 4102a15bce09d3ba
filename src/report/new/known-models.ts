/** Pretrained Mamba models of the hub that can be fine-tuned here, with their shapes: sizes and fit are known before a byte of them is. */
import {type PresetName} from '../../model/presets.js'

export interface KnownModel {
  /** On the hub */
  readonly name: string
  readonly shape: PresetName
}

const MAMBA_1 = ['130m', '370m', '790m', '1.4b', '2.8b'] as const
const MAMBA_2 = ['130m', '370m', '780m', '1.3b', '2.7b'] as const

/** Smallest first within each family; Mamba-2 in the layout of Hugging Face and in that of its authors. */
export const KNOWN_MODELS: readonly KnownModel[] = [
  ...MAMBA_1.map((size): KnownModel => ({name: `state-spaces/mamba-${size}-hf`, shape: `mamba-${size}`})),
  ...MAMBA_2.map((size): KnownModel => ({name: `AntonV/mamba2-${size}-hf`, shape: `mamba2-${size}`})),
  ...MAMBA_2.map((size): KnownModel => ({name: `state-spaces/mamba2-${size}`, shape: `mamba2-${size}`})),
  {name: 'tiiuae/falcon-mamba-7b', shape: 'falcon-mamba-7b'},
  {name: 'tiiuae/falcon-mamba-7b-instruct', shape: 'falcon-mamba-7b'},
  {name: 'mistralai/Mamba-Codestral-7B-v0.1', shape: 'mamba-codestral-7b'},
]
