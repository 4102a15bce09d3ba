/** Which model: a search over those of this machine and known ones of the hub, with size and whether it fits; or any path or name. */
import {search} from '@inquirer/prompts'
import path from 'node:path'
import {memoryText} from '../../backend/gpu/memory-text.js'
import {type FoundModel} from '../../report/new/find-models.js'
import {type ModelFit} from '../../report/new/model-fit.js'
import {padEnd, padStart, truncate} from '../display-width.js'
import {type Facts} from './facts.js'
import {fitsOf} from './fitting.js'
import {columns, listRows, message, onTerminal, sizeText, withTab} from './screen.js'

interface Choice {
  readonly name: string
  readonly value: string
  readonly short: string
  readonly description: string
}

const NAME = 34

export async function askModel(facts: Facts, preset: string): Promise<string> {
  const models = await facts.models()
  const fitting = await fitsOf(facts)
  return search(
    {
      default: preset,
      message: message('model'),
      pageSize: listRows(10),
      source: (term) => modelChoices(models, fitting, term ?? ''),
      theme: withTab,
    },
    onTerminal,
  )
}

/** Models that hold every word of the term; and the term itself, if it is none of them. */
export function modelChoices(
  models: readonly FoundModel[],
  fitting: ReadonlyMap<string, ModelFit>,
  typed: string,
): Choice[] {
  const [term] = typed.trim().split(/\s{2,}/)
  const words = term.toLowerCase().split(/\s+/)
  const matching = models.filter(({base, where}) => {
    const text = `${base} ${PLACES[where]}`.toLowerCase()
    return words.every((word) => text.includes(word))
  })
  const choices = matching.map((model) => choiceOf(model, fitting.get(model.base)))
  const isOther = term !== '' && !models.some(({base}) => base === term || path.basename(base) === term)
  return isOther ? [...choices, other(term)] : choices
}

const PLACES: Readonly<Record<FoundModel['where'], string>> = {
  cache: 'fetched',
  here: 'here',
  hub: 'hub',
  package: 'package',
}

const ABOUT: Readonly<Record<FoundModel['where'], string>> = {
  cache: 'Fetched before.',
  here: 'Found here.',
  hub: 'Fetched when training starts.',
  package: 'Comes with mambatune, to try it; its text is not useful.',
}

function choiceOf({base, config, parameters, where}: FoundModel, fit: ModelFit | undefined): Choice {
  const label = where === 'package' ? path.basename(base) : base
  const room = fit === undefined ? '' : fit.fits ? 'fits' : `too large, ${memoryText(fit.needs)}`
  const cells = [padEnd(truncate(label, NAME), NAME), padStart(sizeText(parameters), 5), padEnd(PLACES[where], 7), room]
  const shape = `${config.architecture === 'mamba' ? 'Mamba-1' : 'Mamba-2'}, ${config.layers} layers of width ${config.hidden}`
  const needs = fit ? `; a small step takes ${memoryText(fit.needs)}` : ''
  return {
    description: `${ABOUT[where]} ${shape}${needs}.`,
    name: truncate(cells.join('  ').trimEnd(), columns() - 3),
    short: base,
    value: base,
  }
}

const other = (term: string): Choice => ({
  description: 'A directory with config.json and weights, or owner/name on the Hugging Face hub.',
  name: `${term}  (as typed)`,
  short: term,
  value: term,
})
