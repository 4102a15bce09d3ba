/**
 * `mambatune export --format safetensors`: every tensor of the adapter under our names in one file for programs of one's
 * own, with the settings in its header and a README.md that says what is what.
 */
import {normEntry, normOf} from './base-norm.js'
import {type ExportContent, type ExportFormat, partName} from './export-format.js'
import {loraScale, type LoraSettings} from './lora-settings.js'
import {type AdapterSettings} from './method-settings.js'
import {type SavedAdapter} from './saved-adapter.js'

export const exportSafetensors: ExportFormat = {
  async content(saved, {name: base} = {directory: '', name: saved.base.path}): Promise<ExportContent> {
    const {architecture, fingerprint} = saved.base
    return {
      metadata: {
        format: 'pt',
        mambatune_adapters: JSON.stringify(saved.settings),
        mambatune_base: JSON.stringify({architecture, fingerprint, path: base, ...normEntry(normOf(saved))}),
      },
      tensorFile: 'adapter.safetensors',
      tensors: saved.values,
      text: readme(saved, base),
      textFile: 'README.md',
    }
  },
  instead: '',
  split: () => ({holdsAny: true, leftOut: []}),
}

function readme(saved: SavedAdapter, base: string): string {
  const entries = saved.settings.map((settings, index) => `- \`${partName(saved, index)}\`: ${meaning(settings)}`)
  const rows = [...saved.values].map(([name, {shape}]) => `| \`${name}\` | ${shape.join(' × ')} |`)
  return `# An adapter for ${base}

\`adapter.safetensors\` holds all of its tensors in f32, row by row. The header's metadata has the settings
(\`mambatune_adapters\`) and the base model (\`mambatune_base\`) as JSON.${normText(normOf(saved))}

${entries.join('\n')}

| tensor | shape |
| --- | --- |
${rows.join('\n')}
`
}

function normText(epsilon: number | null): string {
  if (epsilon === null) return ''
  return ` The base was given RMSNorm without a weight on Δ
(before dt_proj), B and C, as Falcon-Mamba has it (ε ${epsilon}).`
}

function meaning(settings: AdapterSettings): string {
  switch (settings.method) {
    case 'lora':
      return meaningOfLora(settings)
    case 'vera':
      return (
        'W += diag(vera_lambda_b) · B · diag(vera_lambda_d) · A, in the rows of the slice that the name ends in, if any; A and B ' +
        `are uniform in ±√(6 / columns), from mambatune's random stream of seed ${settings.seed}.`
      )
    case 'full-values':
      return 'each tensor stands in for the one of its name in the checkpoint.'
    case 'partial':
      return 'the tensor of the model that is named before `delta` += `delta`.'
    case 'delta-scale':
      return 'Δ ← exp(`delta_scale`) Δ, after softplus, for the whole layer or for each channel.'
    case 'prodial':
      return (
        'W ← diag(1 + `row_scale`) W (I + blockdiag(`blocks`)) + s · lora_B · lora_A with ' +
        `s = ${settings.alpha / settings.rank}.`
      )
    case 'sparse-dimension':
      return (
        'A_log[e, n] += `A_log.values` (c × s) and the rows of B and C of x_proj in column e += `x_proj.B.values` and ' +
        '`x_proj.C.values` (N × c), for the channels e and states n of `selection` in the settings; and ' +
        `W += s · lora_B · lora_A with s = ${settings.alpha / settings.rank}. Without a selection A_log += \`A_log.delta\`.`
      )
    case 'additional-scan':
      return (
        'each channel has as many more states, with rows of B and C made by `x_proj` (in Mamba-2 `in_proj`, then `conv1d`), those ' +
        'of B first, and with `A_log`, to which A_log of the first or last state is added where first_a says so.'
      )
    case 'state-offset':
      return 'before the gate every output += C · `h` (E × N, or H × P × N; with a rank `h.U` times `h.V` transposed, head by head), or += `y` (E).'
    case 'initial-state':
      return (
        'every sequence starts from the state `scan` (E × N) instead of zero, and with the inputs `conv` (E × K−1, oldest first) ' +
        'before its first token.'
      )
  }
}

function meaningOfLora(settings: LoraSettings): string {
  const {dora, init} = settings
  const magnitudes = dora
    ? ' Then each row is given the length in lora_magnitude_vector; rows are those of the base with this update alone.'
    : ''
  const first = init === 'pissa' ? ' lora_B · lora_A stands for lora_B · lora_A − pissa_B · pissa_A.' : ''
  return (
    `W += s · lora_B · lora_A with s = ${loraScale(settings)}, in the rows of the slice that the name ends in, if any; ` +
    `conv1d is read as a matrix E × K, the embedding as V × d.${first}${magnitudes}`
  )
}
