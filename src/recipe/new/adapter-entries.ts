/** The entries of `adapters` in a new recipe, with the reason for each number. */
import {type MambaConfig} from '../../model/config.js'
import {type AdapterSettings, methodSchemas} from '../../peft/method-settings.js'
import {type MethodPreset} from './method-names.js'

export interface AdapterEntry {
  readonly settings: AdapterSettings
  /** Behind the line of the method */
  readonly about: string
  /** Key → reason, for those that want one */
  readonly reasons: Readonly<Record<string, string>>
}

type Written = Readonly<Record<string, unknown>>
type Reasons = Readonly<Record<string, string>>

/** `steps` is the length of the run; null where it is not known. */
export function entriesOf(preset: MethodPreset, config: MambaConfig, steps: number | null): readonly AdapterEntry[] {
  switch (preset) {
    case 'balanced':
      return [lora(['in_proj', 'out_proj'], 16, LARGE, config)]
    case 'light':
      return [lora(['in_proj.x'], 8, 'the rows of in_proj that the scan reads', config)]
    case 'combined':
      return [lora(['in_proj', 'out_proj'], 16, LARGE, config), selective(config), firstState(config)]
    case 'thorough':
      return [lora(projections(config), 32, 'every projection', config), firstState(config)]
    case 'ssm':
      return [selective(config), firstState(config)]
    case 'dora': {
      const reasons = {dora: 'a trained length for each row, beside its direction'}
      return [lora(['in_proj', 'out_proj'], 8, LARGE, config, {dora: true}, reasons)]
    }
    case 'bitfit':
      return [
        entry(
          {method: 'partial', targets: biases(config)},
          'tensors of the model itself, with a trained sum beside each',
        ),
      ]
    case 'full':
      return [entry({method: 'partial', targets: ['*']}, 'every tensor of the model')]
    case 'initial-state':
      return [firstState(config)]
    case 'additional-scan':
    case 'delta-scale':
    case 'prodial':
    case 'sparse-dimension':
    case 'state-offset':
    case 'vera':
      return [ofMethod(preset, config, steps)]
  }
}

/** Methods that stand by themselves. */
function ofMethod(
  method: Exclude<AdapterSettings['method'], 'full-values' | 'initial-state' | 'lora' | 'partial'>,
  config: MambaConfig,
  steps: number | null,
): AdapterEntry {
  switch (method) {
    case 'additional-scan':
      return entry({method}, '', {
        first_a: 'new states forget as slowly at the start as the slowest one of their channel',
        states: 'a channel, beside those that there are; the best value of the paper',
      })
    case 'state-offset':
      return entry({method}, 'a constant beside the state, which does not fade', {form: 'of the state, read through C'})
    case 'delta-scale':
      return entry({method, per: config.architecture === 'mamba' ? 'channel' : 'layer'}, 'Δ ← s Δ')
    case 'vera': {
      const rank = Math.min(256, config.hidden / 2)
      return entry(
        {method, rank, targets: ['in_proj', 'out_proj']},
        'random updates, of which the scales are trained',
        {
          dropout: 'scales alone learn little by heart',
          first_scale: "the paper's value",
          rank: 'high, because each costs one number a site',
          seed: 'of the random matrices, which are made from it again',
        },
      )
    }
    case 'prodial':
      return entry({blocks: blocksFor(config), dropout: 0, method}, 'a block-diagonal matrix before the projections', {
        alpha: 'as in the paper: a factor of 1',
        blocks: `a divisor of ${config.hidden} and ${config.inner} inputs; the paper has 64`,
        dropout: 'the paper, which repeats few rows, has 0.1',
        rank: 'of the LoRA beside them, as in the paper',
      })
    case 'sparse-dimension':
      return entry({dropout: 0, method, warmup_steps: warmup(steps)}, 'A_log, B and C of few channels, and a LoRA', {
        alpha: 'as in the paper: a factor of 1',
        dropout: 'the paper, which repeats few rows, has 0.1',
        freeze_channels: 'as in the paper',
        freeze_states: 'as in the paper',
        rank: 'as in the paper',
        warmup_steps: 'a quarter of the run, and at most the 500 of the paper',
      })
  }
}

const LARGE = 'the two large projections: what is written to and read from the stream'
const SLICES = 'Δ, B and C: how long the state remembers, what enters it and what is read'

function lora(
  targets: readonly string[],
  wanted: number,
  about: string,
  {hidden}: MambaConfig,
  own: Written = {},
  reasons: Reasons = {},
): AdapterEntry {
  const rank = Math.min(wanted, hidden)
  return entry({alpha: 2 * rank, method: 'lora', rank, targets, ...own}, about, {
    alpha: '2 x rank: the update counts twice',
    dropout: 'raise it to 0.05 where few rows are repeated often',
    rank: `1/${Math.round(hidden / rank)} of the model's width; higher can learn more and takes more memory`,
    ...reasons,
  })
}

/** LoRA on what makes Δ, B and C: of x_proj and dt_proj, or of in_proj in Mamba-2. */
function selective(config: MambaConfig): AdapterEntry {
  const isFirst = config.architecture === 'mamba'
  const targets = isFirst ? ['dt_proj', 'x_proj.dt', 'x_proj.B', 'x_proj.C'] : ['in_proj.dt', 'in_proj.B', 'in_proj.C']
  const rows = isFirst ? config.states : Math.min(config.heads, config.states)
  const rank = Math.min(8, rows)
  return lora(targets, rank, SLICES, config, {}, {rank: `the smallest of these slices has ${rows} rows`})
}

function firstState({architecture}: MambaConfig): AdapterEntry {
  const about = 'a learned first state of scan and convolution: what prefix tokens become'
  if (architecture === 'mamba') return entry({method: 'initial-state'}, about)
  return entry({method: 'initial-state', rank: 4}, about, {rank: "of each head's state: a fraction of its numbers"})
}

const projections = ({architecture}: MambaConfig): string[] =>
  architecture === 'mamba' ? ['in_proj', 'x_proj', 'dt_proj', 'out_proj'] : ['in_proj', 'out_proj']

const biases = ({architecture, convBias}: MambaConfig): string[] => [
  ...(convBias ? ['conv1d.bias'] : []),
  architecture === 'mamba' ? 'dt_proj.bias' : 'dt_bias',
]

/** The most blocks up to 64 that divide the inputs of both projections. */
function blocksFor({hidden, inner}: MambaConfig): number {
  let blocks = 64
  while (hidden % blocks !== 0 || inner % blocks !== 0) blocks--
  return blocks
}

/** Without a known length as in the paper. */
function warmup(steps: number | null): number {
  return steps === null ? 500 : Math.max(1, Math.min(500, Math.floor(steps / 4)))
}

/** Defaults of the method are filled in. */
function entry(written: Written, about: string, reasons: Reasons = {}): AdapterEntry {
  const schema = methodSchemas.find((one) => one.shape.method.value === written['method'])
  if (!schema) throw new TypeError(`${String(written['method'])} is not a method of recipes`)
  return {about, reasons, settings: schema.parse(written)}
}
