/** Which data to train on, and which to validate with: paths with completion, after what was found. */
import {search, Separator} from '@inquirer/prompts'
import {NO_VALIDATION} from '../../recipe/new/answers.js'
import {findValidation, type FoundData} from '../../report/new/find-data.js'
import {type Facts} from './facts.js'
import {pathsFor} from './path-choices.js'
import {listRows, message, onTerminal, withTab} from './screen.js'

interface Choice {
  readonly name: string
  readonly value: string
  readonly description?: string
}

type Choices = (Choice | Separator)[]

const TYPE = new Separator('or type a path, or hub://owner/name')

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
  const {files} = await facts.data()
  const found = await findValidation(facts.answer('data'), files)
  const offered: Choice[] = [
    ...(found === null ? [] : [{description: 'Found beside the training data.', name: found, value: found}]),
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
      source: async (term = '') => (term === '' ? [...offered, TYPE] : pathChoices(term)),
      theme: withTab,
    },
    onTerminal,
  )
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
