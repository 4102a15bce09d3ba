/** The walk through the questions at a terminal, and changing an answer at its end. */
import {select} from '@inquirer/prompts'
import {MambatuneError} from '../../errors.js'
import {type Question, QUESTIONS} from '../../recipe/new/answers.js'
import {budgetText, parseBudget} from '../../recipe/new/budget.js'
import {goalFacts, type Goal} from '../../recipe/new/goals.js'
import {type TrainingSpeed} from '../../report/new/training-speed.js'
import {truncate} from '../display-width.js'
import {createStyle, hasColour} from '../terminal.js'
import {askBudget} from './ask-budget.js'
import {askData, askValidation} from './ask-data.js'
import {askGoal, askMethod} from './ask-method.js'
import {askModel} from './ask-model.js'
import {askOut} from './ask-out.js'
import {checkAnswer} from './check-answer.js'
import {dataFoundText} from './data-found.js'
import {defaultAnswer} from './default-answer.js'
import {speedOf} from './drafting.js'
import {type Facts} from './facts.js'
import {failureText} from './failure-text.js'
import {type Given} from './given.js'
import {columns, onTerminal, TITLES} from './screen.js'

type Ask = (facts: Facts, preset: string, speed: TrainingSpeed | null) => Promise<string>

const asks: Readonly<Record<Question, Ask>> = {
  budget: askBudget,
  data: askData,
  goal: askGoal,
  method: askMethod,
  model: askModel,
  out: askOut,
  validation: askValidation,
}

export class Walk {
  constructor(
    private readonly facts: Facts,
    private readonly measures: boolean,
  ) {}

  /** Asks what no flag has answered. Errors: those of flags that cannot be used; ExitPromptError at Ctrl+C. */
  async go(given: Given): Promise<void> {
    for (const question of QUESTIONS) {
      const answer = given.get(question)
      if (answer === undefined) await this.ask(question)
      else await this.take(question, answer)
    }
  }

  speed(): Promise<TrainingSpeed | null> {
    return this.measures ? speedOf(this.facts) : Promise.resolve(null)
  }

  /** Asks which answer is to be another, then for it, and for those that no longer go with it. */
  async change(): Promise<void> {
    const choices = QUESTIONS.map((question) => ({
      name: truncate(`${TITLES[question].padEnd(33)} ${shown(question, this.facts.answer(question))}`, columns() - 3),
      short: TITLES[question],
      value: question,
    }))
    const question = await select({choices, message: 'Which answer?', pageSize: choices.length}, onTerminal)
    const isNamedByDefault = this.facts.answer('out') === (await defaultAnswer('out', this.facts, null))
    await this.ask(question, this.facts.answer(question))
    if (question === 'data') await this.ask('validation')
    if (isNamedByDefault && question !== 'out') {
      this.facts.answers.set('out', await defaultAnswer('out', this.facts, null))
    }
    for (const other of QUESTIONS) if (!(await this.stillGood(other))) await this.ask(other)
  }

  /** Until there is an answer that can be used. */
  private async ask(question: Question, before?: string): Promise<void> {
    const speed = question === 'budget' ? await this.speed() : null
    const preset = before ?? (await defaultAnswer(question, this.facts, speed))
    for (;;) {
      const answer = await asks[question](this.facts, preset, speed)
      try {
        return await this.take(question, answer)
      } catch (error) {
        if (!(error instanceof MambatuneError)) throw error
        this.tell(failureText(error))
      }
    }
  }

  private async take(question: Question, answer: string): Promise<void> {
    await checkAnswer(question, answer, this.facts)
    this.facts.answers.set(question, answer)
    if (question === 'data') await this.showData()
  }

  private async showData(): Promise<void> {
    const {inspection} = await this.facts.data()
    const preview = await this.facts.preview()
    this.tell(dataFoundText(inspection, preview, createStyle(hasColour(process.stderr, process.env))))
  }

  private async stillGood(question: Question): Promise<boolean> {
    try {
      await checkAnswer(question, this.facts.answer(question), this.facts)
      return true
    } catch (error) {
      if (!(error instanceof MambatuneError)) throw error
      this.tell(failureText(error))
      return false
    }
  }

  private tell(text: string): void {
    this.facts.options.reporter.note(`\n${text}\n`)
  }
}

function shown(question: Question, answer: string): string {
  if (question === 'goal') return goalFacts[answer as Goal].title
  const budget = question === 'budget' ? parseBudget(answer) : null
  return budget ? budgetText(budget) : answer
}

export type Ending = 'start' | 'save' | 'change' | 'leave'

export async function askEnding(file: string): Promise<Ending> {
  return select(
    {
      choices: [
        {name: 'Start training now', description: `Writes ${file} and trains by it.`, value: 'start'},
        {name: `Save ${file}`, description: 'Writes the recipe, and leaves.', value: 'save'},
        {name: 'Change an answer', value: 'change'},
        {name: 'Leave without saving', value: 'leave'},
      ],
      message: 'And now?',
    },
    onTerminal,
  )
}
