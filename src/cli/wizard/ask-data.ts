/** Which data to train on, and which to validate with: paths with completion, after what was found. */
import {search, Separator} from '@inquirer/prompts'
import {heldOutCount} from '../../data/held-out.js'
import {DEFAULT_SHARE, NO_VALIDATION} from '../../recipe/new/answers.js'
import {isLikeShare, parseShare, wrongShare} from '../../recipe/validation-share.js'
import {findValidation, type FoundData} from '../../report/new/find-data.js'
import {formatCount} from '../format.js'
import {type DataFacts, type Facts} from './facts.js'
import {pathsFor} from './path-choices.js'
import {listRows, message, onTerminal, withTab} from './screen.js'

interface Choice {
  readonly name: string
  readonly value: string
  readonly description?: string
}

type Choices = (Choice | Separator)[]

const TYPE = new Separator('or type a path, or hub://owner/name')
const TYPE_SHARE = new Separator('or type another share, a path, or hub://owner/name')

export async function askData(facts: Facts, preset: string): Promise<string> {
  const found = await facts.trainingData()
  return search(
    {
      default: preset,
      message: message('data'),
      pageSize: listRows(8),
      source: async (term = '') => (term === '' ? [...found.map(foundChoice), TYPE] : pathChoices(term)),
      theme: withTab,
    },
    onTerminal,
  )
}

export async function askValidation(facts: Facts, preset: string): Promise<string> {
  const data = await facts.data()
  const found = await findValidation(facts.answer('data'), data.files)
  const shares = isLikeShare(preset) && preset !== DEFAULT_SHARE ? [preset, DEFAULT_SHARE] : [DEFAULT_SHARE]
  const offered: Choice[] = [
    ...(found === null ? [] : [{description: 'Found beside the training data.', name: found, value: found}]),
    ...(data.inspection.rows > 1 ? shares.map((share) => shareChoice(share, data)) : []),
    {
      description: 'The loss of rows that are not trained on is not known, and nothing tells when to stop.',
      name: 'None',
      value: NO_VALIDATION,
    },
  ]
  return search(
    {
      default: preset,
      message: message('validation'),
      pageSize: listRows(8),
      async source(term = '') {
        if (term === '') return [...offered, TYPE_SHARE]
        return isLikeShare(term) ? [shareChoice(term, data)] : pathChoices(term)
      },
      theme: withTab,
    },
    onTerminal,
  )
}

/** '5% of the rows: 10 of 200' */
function shareChoice(text: string, {inspection: {files, rows}}: DataFacts): Choice {
  const share = parseShare(text)
  if (share === null) return {description: wrongShare(text), name: text, value: text}
  const unit = files.every(({container}) => container === 'text') ? 'files' : 'rows'
  const held = `${formatCount(heldOutCount(rows, share))} of ${formatCount(rows)}`
  return {
    description: 'They are held out of training; which ones never changes, so runs can be compared.',
    name: `${text} of the ${unit}: ${held}`,
    value: text,
  }
}

const foundChoice = ({path, where}: FoundData): Choice => ({
  description: where === 'package' ? 'Comes with mambatune, to try it.' : 'Found here.',
  name: path,
  value: path,
})

/** What is typed completes paths; the name of a data set on the hub is taken as it is. */
async function pathChoices(term: string): Promise<Choices> {
  if (/^hub:\/\//.test(term)) return [{description: 'A data set of the hub.', name: term, value: term}]
  return (await pathsFor(term)).map(({isDirectory, path}) => ({
    description: isDirectory ? 'A directory: Tab looks into it, Enter takes all data files in it.' : 'A data file.',
    name: path,
    value: path,
  }))
}
