/** What the model is to learn, and what of it is trained: two lists, with what each means. */
import {select} from '@inquirer/prompts'
import {goalFacts} from '../../recipe/new/goals.js'
import {chooseMethod} from '../../recipe/new/method-presets.js'
import {trainedNumbers} from '../../report/plan.js'
import {padEnd, padStart} from '../display-width.js'
import {goalsOf, methodsOf} from './check-answer.js'
import {type Facts} from './facts.js'
import {listRows, message, onTerminal, sizeText} from './screen.js'

interface Choice {
  readonly description: string
  readonly name: string
  readonly value: string
  readonly short?: string
}

export async function askGoal(facts: Facts, preset: string): Promise<string> {
  const choices = (await goalsOf(facts)).map((goal): Choice => {
    const {loss, stopsEarly, title} = goalFacts[goal]
    const end = stopsEarly ? ' With validation, training stops when it gets no better.' : ''
    return {description: `The loss counts ${loss}.${end}`, name: title, value: goal}
  })
  return select({choices, default: preset, message: message('goal')}, onTerminal)
}

export async function askMethod(facts: Facts, preset: string): Promise<string> {
  const {config, parameters} = await facts.model()
  const choices = (await methodsOf(facts)).map((method): Choice => {
    const {about, adapters, learningRate, title} = chooseMethod(method, config, {parameters})
    const trained = trainedNumbers(
      adapters.map(({settings}) => settings),
      config,
    )
    const percent = Number(((100 * trained) / parameters).toPrecision(2))
    const cells = [padEnd(title, 17), padStart(shortCount(trained), 6), 'numbers,', padStart(`${percent} %`, 6)]
    return {
      description: `${about} Learning rate ${learningRate.value.toExponential()}.`,
      name: `${cells.join(' ')} of the model's`,
      short: title,
      value: method,
    }
  })
  return select({choices, default: preset, loop: false, message: message('method'), pageSize: listRows(14)}, onTerminal)
}

/** 96, 9.2k, 475k, 4.0M */
function shortCount(count: number): string {
  if (count < 1000) return String(count)
  return count < 999_500 ? `${(count / 1000).toFixed(count < 99_950 ? 1 : 0)}k` : sizeText(count)
}
