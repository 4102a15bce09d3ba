/** The shapes of published Mamba models, for plans and benchmarks without a checkpoint. */
import {type MambaConfig} from './config.js'

type Size = Pick<MambaConfig, 'hidden' | 'layers' | 'vocabulary'> & Partial<Pick<MambaConfig, 'mixerEpsilon' | 'tied'>>

const SIZES = {
  'mamba-130m': {hidden: 768, layers: 24, vocabulary: 50_280},
  'mamba-370m': {hidden: 1024, layers: 48, vocabulary: 50_280},
  'mamba-790m': {hidden: 1536, layers: 48, vocabulary: 50_280},
  'mamba-1.4b': {hidden: 2048, layers: 48, vocabulary: 50_280},
  'mamba-2.8b': {hidden: 2560, layers: 64, vocabulary: 50_280},
  'falcon-mamba-7b': {hidden: 4096, layers: 64, mixerEpsilon: 1e-6, tied: false, vocabulary: 65_024},
  tiny: {hidden: 256, layers: 8, vocabulary: 2048},
} as const satisfies Readonly<Record<string, Size>>

export type PresetName = keyof typeof SIZES

export const PRESETS = Object.keys(SIZES) as readonly PresetName[]

export function presetConfig(name: PresetName): MambaConfig {
  const {hidden, layers, mixerEpsilon = null, tied = true, vocabulary}: Size = SIZES[name]
  return {
    architecture: 'mamba',
    convBias: true,
    convWidth: 4,
    epsilon: 1e-5,
    hidden,
    inner: 2 * hidden,
    layers,
    mixerEpsilon,
    projectionBias: false,
    states: 16,
    tied,
    timeStepRank: Math.ceil(hidden / 16),
    vocabulary,
  }
}
