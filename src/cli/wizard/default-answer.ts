/** The answer to a question that Enter and --yes give: from the machine, the files, and the answers before it. */
import {existsSync} from 'node:fs'
import path from 'node:path'
import {DEFAULT_SHARE, NO_VALIDATION, type Question} from '../../recipe/new/answers.js'
import {budgetFlag} from '../../recipe/new/budget.js'
import {goalFacts} from '../../recipe/new/goals.js'
import {findValidation} from '../../report/new/find-data.js'
import {type TrainingSpeed} from '../../report/new/training-speed.js'
import {canHoldOut, goalsOf} from './check-answer.js'
import {choicesSoFar, draftSoFar} from './drafting.js'
import {type Facts} from './facts.js'
import {firstThatFits} from './fitting.js'

type Default = (facts: Facts, speed: TrainingSpeed | null) => Promise<string>

/** `speed` is looked at for the budget alone; null where it is not known. */
export function defaultAnswer(question: Question, facts: Facts, speed: TrainingSpeed | null): Promise<string> {
  return defaults[question](facts, speed)
}

/** Steps of an epoch from which on one pass is enough to begin with */
const MANY_STEPS = 250
/** Seconds; a first run should be over before one has forgotten what it was for. */
const LONG = 30 * 60

const defaults: Readonly<Record<Question, Default>> = {
  async budget(facts, speed) {
    const {facts: known, stepsPerEpoch} = await draftSoFar(facts, speed)
    const {few, many} = goalFacts[choicesSoFar(facts).goal].epochs
    const amount = stepsPerEpoch < MANY_STEPS ? few : many
    const isLong = known.secondsPerStep !== null && amount * stepsPerEpoch * known.secondsPerStep > LONG
    return budgetFlag(isLong ? {amount: LONG / 60, unit: 'minutes'} : {amount, unit: 'epochs'})
  },
  async data(facts) {
    const [first] = await facts.trainingData()
    return first.path
  },
  goal: async (facts) => (await goalsOf(facts))[0],
  method: () => Promise.resolve('balanced'),
  async model(facts) {
    return (await firstThatFits(facts)).base
  },
  out: freeName,
  async validation(facts) {
    const {files} = await facts.data()
    const found = await findValidation(facts.answer('data'), files)
    return found ?? ((await canHoldOut(facts)) ? DEFAULT_SHARE : NO_VALIDATION)
  },
}

/** runs/MODEL-METHOD, or the first number behind it that is free, for the run as for the recipe beside. */
async function freeName(facts: Facts): Promise<string> {
  const model = path
    .basename(facts.answer('model'))
    .replace(/@.*$/, '')
    .replaceAll(/[^\w.-]+/g, '-')
  const stem = `${model}-${facts.answer('method')}`
  for (let number = 1; ; number++) {
    const name = number === 1 ? stem : `${stem}-${number}`
    if (!existsSync(path.posix.join('runs', name)) && !existsSync(`${name}.yaml`)) return `runs/${name}`
  }
}
