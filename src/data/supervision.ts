/**
 * Which tokens are trained on, and whether the settings can be had with these rows at all: a loss on completions needs prompts, an EOS
 * at the end of each row needs a tokenizer that has one.
 */
import {type DataSettings, ignoredLabel, type RowFormat, type SupervisedPart} from './dataset.js'
import {type FaultList} from './fault-list.js'
import {type Tokenizer} from './tokenizer.js'

/** The parts that make sense for each format; the first is what `auto` means. Turns have roles besides. */
export const partsOf: Readonly<Record<RowFormat, readonly Extract<SupervisedPart, string>[]>> = {
  prompt_completion: ['completion', 'all'],
  text: ['all'],
  tokens: ['labelled', 'all'],
  chat: ['assistant', 'last', 'all'],
  sharegpt: ['assistant', 'last', 'all'],
  alpaca: ['completion', 'all'],
  segments: ['labelled', 'all'],
}

export function hasRoles(format: RowFormat): boolean {
  return format === 'chat' || format === 'sharegpt'
}

/** The part to train; a setting that does not fit the rows is reported and replaced, so that the rows are still checked. */
export function supervisedPart(settings: DataSettings, format: RowFormat, faults: FaultList): SupervisedPart {
  const parts = partsOf[format]
  const {lossOn} = settings
  if (lossOn === 'auto') return parts[0]
  if (typeof lossOn === 'string' ? parts.includes(lossOn) : hasRoles(format)) return lossOn
  const expected = ['auto', ...parts, ...(hasRoles(format) ? ['a list of roles'] : [])].join(' or ')
  const message = `${String(lossOn)} does not fit rows of format ${format}; expected ${expected}`
  faults.add('data.loss_on', message, 'data.loss_on: auto')
  return parts[0]
}

/** What the loss is on, for the user. */
export function lossWords(part: SupervisedPart, format: RowFormat): string {
  if (typeof part !== 'string') return `the turns of ${part.join(' and ')}`
  switch (part) {
    case 'all':
      return 'all tokens'
    case 'assistant':
      return "the assistant's turns only"
    case 'completion':
      return format === 'alpaca'
        ? 'the outputs only, not on the instructions'
        : 'the completions only, not on the prompts'
    case 'labelled':
      return format === 'segments'
        ? 'the segments whose label is true'
        : `the labelled tokens (labels other than ${ignoredLabel})`
    case 'last':
      return "the assistant's last turn only"
  }
}

/** Reports what text rows need of the tokenizer and do not have. */
export function checkTokenizer(
  tokenizer: Tokenizer | null,
  settings: DataSettings,
  format: RowFormat,
  faults: FaultList,
): void {
  if (format === 'tokens') return
  if (tokenizer === null) {
    const hint = 'put tokenizer.json into the model directory, or give rows of input_ids'
    faults.add('tokenizer', `is missing; rows of format ${format} need one`, hint)
    faults.throwIfAny()
  } else if (settings.appendEos && tokenizer.eosId === null) {
    const message = 'the tokenizer has no end-of-sequence token (eos_token in tokenizer_config.json)'
    faults.add('data.append_eos', message, 'data.append_eos: false')
  }
}
