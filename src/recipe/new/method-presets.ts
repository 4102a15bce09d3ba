/**
 * What a new recipe may train: a few sets of adapters, and each method of the registry by itself. Targets and sizes follow from
 * the model; what is not said here is the method's own default. Learning rates are those of the packaged recipes
 * and of the papers that docs/methods.md names; those of low-rank updates are lower for larger models.
 */
import {type MambaConfig} from '../../model/config.js'
import {type AdapterSettings, methodSchemas} from '../../peft/method-settings.js'
import {type AdapterEntry, entriesOf} from './adapter-entries.js'
import {METHOD_PRESETS, type MethodPreset} from './method-names.js'

interface PresetFacts {
  readonly title: string
  readonly about: string
  /** At up to 50 million numbers */
  readonly learningRate: number
  readonly why: string
  /** Whether larger models want less */
  readonly falls: boolean
  /** Absent: every model can have it. */
  readonly suits?: (config: MambaConfig) => boolean
}

const LOW_RANK = {falls: true, learningRate: 1e-3}

const facts: Readonly<Record<MethodPreset, PresetFacts>> = {
  'additional-scan': {
    about: about('additional-scan'),
    falls: false,
    learningRate: 5e-3,
    // Norms of Falcon-Mamba run over all states of B and C, new ones included.
    suits: (config) => config.architecture === 'mamba2' || config.mixerEpsilon === null,
    title: 'More states',
    why: "the paper's; high, because the new rows of C start at zero",
  },
  balanced: {
    ...LOW_RANK,
    about:
      'LoRA on the two large projections. The first thing to try: nothing of its size did better (docs/methods.md).',
    title: 'Balanced',
    why: 'usual for LoRA on a model of this size',
  },
  bitfit: {
    about: 'The biases of the convolution and of Δ alone: very few numbers.',
    falls: false,
    learningRate: 4e-3,
    title: 'Biases',
    why: 'few numbers want large steps: 2e-3 to 4e-3 in the paper on Mamba',
  },
  combined: {
    ...LOW_RANK,
    about: 'LoRA on the large projections and on Δ, B and C, with a learned first state, as in the quickstart.',
    title: 'Combined',
    why: 'usual for LoRA on a model of this size',
  },
  'delta-scale': {
    about: about('delta-scale'),
    falls: false,
    learningRate: 1e-2,
    title: 'Factors of Δ',
    why: 'few numbers, in an exponent: a step of 0.01 changes Δ by 1 %',
  },
  dora: {
    ...LOW_RANK,
    about: 'LoRA that learns the length of each row apart from its direction; ahead of LoRA at the smallest ranks.',
    title: 'DoRA',
    why: 'as for LoRA on a model of this size',
  },
  full: {
    about: 'Every number of the model. Takes the most memory, and forgets the most of what the model knew.',
    falls: true,
    learningRate: 3e-4,
    title: 'Full',
    why: "a third of LoRA's: every weight moves at once",
  },
  'initial-state': {
    about: about('initial-state'),
    falls: false,
    learningRate: 5e-3,
    title: 'First state',
    why: 'between the usual 1e-3 and 1e-2',
  },
  light: {
    ...LOW_RANK,
    about: 'LoRA on the part of in_proj that the scan reads: the best of few numbers (docs/methods.md).',
    title: 'Light',
    why: 'usual for LoRA on a model of this size',
  },
  prodial: {
    ...LOW_RANK,
    about: about('prodial'),
    title: 'ProDiaL',
    why: 'as for LoRA on a model of this size',
  },
  'sparse-dimension': {
    about: about('sparse-dimension'),
    falls: false,
    learningRate: 2e-3,
    suits: ({architecture}) => architecture === 'mamba',
    title: 'Sparse dimensions',
    why: 'the paper takes 1e-3 to 4e-3',
  },
  ssm: {
    ...LOW_RANK,
    about: 'Δ, B and C by LoRA, and a learned first state: only what the state keeps, and for how long.',
    title: 'SSM only',
    why: 'usual for LoRA on a model of this size',
  },
  'state-offset': {
    about: about('state-offset'),
    falls: false,
    learningRate: 2e-3,
    title: 'State offset',
    why: 'above the 1e-4 to 1e-3 of the paper for form h, as in the recipe state-offset',
  },
  thorough: {
    ...LOW_RANK,
    about: 'LoRA of rank 32 on every projection, with a learned first state: for much data.',
    learningRate: 5e-4,
    title: 'Thorough',
    why: 'half of what is usual at rank 16: more numbers move',
  },
  vera: {
    about: about('vera'),
    falls: false,
    learningRate: 1e-2,
    title: 'VeRA',
    why: "ten times LoRA's: few numbers want large steps",
  },
}

/** The method's own description. */
function about(method: AdapterSettings['method']): string {
  const schema = methodSchemas.find((one) => one.shape.method.value === method)
  return schema?.shape.method.description ?? ''
}

export interface ChosenMethod {
  readonly title: string
  readonly about: string
  readonly adapters: readonly AdapterEntry[]
  readonly learningRate: {readonly value: number; readonly why: string}
}

/** Those that a model can have. */
export function methodPresetsFor(config: MambaConfig): readonly MethodPreset[] {
  return METHOD_PRESETS.filter((name) => facts[name].suits?.(config) ?? true)
}

/** `parameters` is the size of the model; `steps` those of the run, as far as they are known. */
export function chooseMethod(
  name: MethodPreset,
  config: MambaConfig,
  {parameters, steps = null}: {readonly parameters: number; readonly steps?: number | null},
): ChosenMethod {
  const {about: text, falls, learningRate, title, why} = facts[name]
  const factor = falls ? factorFor(parameters) : 1
  return {
    about: text,
    adapters: entriesOf(name, config, steps),
    learningRate: {value: Number((learningRate * factor).toPrecision(3)), why},
    title,
  }
}

/** 2e-4 is usual for LoRA on models from a billion numbers on, 1e-3 on the small ones of the package. */
function factorFor(parameters: number): number {
  if (parameters < 50e6) return 1
  return parameters < 500e6 ? 0.5 : 0.2
}
