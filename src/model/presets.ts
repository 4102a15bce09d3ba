/** The shapes of published Mamba models, for plans and benchmarks without a checkpoint. */
import {type Mamba1Config, type MambaConfig} from './config.js'
import {type SharedConfig} from './shared-config.js'

type Size = Pick<SharedConfig, 'hidden' | 'layers' | 'vocabulary'> &
  Partial<Pick<Mamba1Config, 'mixerEpsilon' | 'tied'>> & {readonly groups?: number}

const SIZES = {
  'mamba-130m': {hidden: 768, layers: 24, vocabulary: 50_280},
  'mamba-370m': {hidden: 1024, layers: 48, vocabulary: 50_280},
  'mamba-790m': {hidden: 1536, layers: 48, vocabulary: 50_280},
  'mamba-1.4b': {hidden: 2048, layers: 48, vocabulary: 50_280},
  'mamba-2.8b': {hidden: 2560, layers: 64, vocabulary: 50_280},
  'mamba2-130m': {hidden: 768, layers: 24, vocabulary: 50_288},
  'mamba2-370m': {hidden: 1024, layers: 48, vocabulary: 50_288},
  'mamba2-780m': {hidden: 1536, layers: 48, vocabulary: 50_288},
  'mamba2-1.3b': {hidden: 2048, layers: 48, vocabulary: 50_288},
  'mamba2-2.7b': {hidden: 2560, layers: 64, vocabulary: 50_288},
  'mamba2-codestral-7b': {groups: 8, hidden: 4096, layers: 64, tied: false, vocabulary: 32_768},
  'falcon-mamba-7b': {hidden: 4096, layers: 64, mixerEpsilon: 1e-6, tied: false, vocabulary: 65_024},
  tiny: {hidden: 256, layers: 8, vocabulary: 2048},
} as const satisfies Readonly<Record<string, Size>>

export type PresetName = keyof typeof SIZES

export const PRESETS = Object.keys(SIZES) as readonly PresetName[]

export function presetConfig(name: PresetName): MambaConfig {
  const {groups = 1, hidden, layers, mixerEpsilon = null, tied = true, vocabulary}: Size = SIZES[name]
  const shared = {
    convBias: true,
    convWidth: 4,
    epsilon: 1e-5,
    inner: 2 * hidden,
    hidden,
    layers,
    projectionBias: false,
    tied,
    vocabulary,
  }
  if (!name.startsWith('mamba2-')) {
    return {...shared, architecture: 'mamba', mixerEpsilon, states: 16, timeStepRank: Math.ceil(hidden / 16)}
  }
  const headSize = 64
  return {
    ...shared,
    architecture: 'mamba2',
    groups,
    headSize,
    heads: shared.inner / headSize,
    states: 128,
    timeStepLimit: [0, Infinity],
  }
}
