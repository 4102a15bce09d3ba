/** Answers without questions: from flags alone, or with defaults for what they leave out. */
import {QUESTIONS} from '../../recipe/new/answers.js'
import {type TrainingSpeed} from '../../report/new/training-speed.js'
import {checkAnswer} from './check-answer.js'
import {defaultAnswer} from './default-answer.js'
import {speedOf} from './drafting.js'
import {type Facts} from './facts.js'
import {type Given} from './given.js'

/** In the order of the questions, because defaults follow from the answers before. Errors: those of the first answer that cannot be used. */
export async function answerFromFlags(facts: Facts, given: Given, measures: boolean): Promise<TrainingSpeed | null> {
  const known = async (): Promise<TrainingSpeed | null> => (measures ? speedOf(facts) : null)
  for (const question of QUESTIONS) {
    const speed = question === 'budget' ? await known() : null
    const answer = given.get(question) ?? (await defaultAnswer(question, facts, speed))
    await checkAnswer(question, answer, facts)
    facts.answers.set(question, answer)
  }
  return known()
}
