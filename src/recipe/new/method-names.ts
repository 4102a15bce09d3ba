/** The sets of adapters that a new recipe may have, in the order in which they are offered. */
export const METHOD_PRESETS = [
  'balanced',
  'light',
  'thorough',
  'combined',
  'ssm',
  'dora',
  'initial-state',
  'state-offset',
  'additional-scan',
  'sparse-dimension',
  'prodial',
  'vera',
  'delta-scale',
  'bitfit',
  'full',
] as const

export type MethodPreset = (typeof METHOD_PRESETS)[number]
