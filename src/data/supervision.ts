/**
 * Which tokens are trained on, and whether the settings can be had with these rows at all: a loss on completions needs prompts, an EOS
 * at the end of each row needs a tokenizer that has one.
 */
import {type DataSettings, type RowFormat, type SupervisedPart} from './dataset.js'
import {type FaultList} from './fault-list.js'
import {type Tokenizer} from './tokenizer.js'

/** The parts that make sense for each format; the first is what `auto` means. */
const partsOf: Readonly<Record<RowFormat, readonly SupervisedPart[]>> = {
  prompt_completion: ['completion', 'all'],
  text: ['all'],
  tokens: ['labelled', 'all'],
}

/** The part to train; a setting that does not fit the rows is reported and replaced, so that the rows are still checked. */
export function supervisedPart(settings: DataSettings, format: RowFormat, faults: FaultList): SupervisedPart {
  const parts = partsOf[format]
  if (settings.lossOn === 'auto') return parts[0]
  if (parts.includes(settings.lossOn)) return settings.lossOn
  const expected = ['auto', ...parts].join(' or ')
  const message = `${settings.lossOn} does not fit rows of format ${format}; expected ${expected}`
  faults.add('data.loss_on', message, 'data.loss_on: auto')
  return parts[0]
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
