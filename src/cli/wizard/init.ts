/** `mambatune init`: answers from flags, or from questions where there is a terminal; then the review, and what is to become of it. */
import {existsSync} from 'node:fs'
import path from 'node:path'
import {type DeviceChoice} from '../../backend/devices.js'
import {makeDirectory, writeFileDurably} from '../../checkpoint/output-directory.js'
import {EXIT, FileError, InterruptedError} from '../../errors.js'
import {type Question, QUESTIONS} from '../../recipe/new/answers.js'
import {recipeFileName} from '../../recipe/packaged.js'
import {type Recipe} from '../../recipe/schema.js'
import {type RunPlan} from '../../report/plan.js'
import {type Reporter} from '../reporter.js'
import {createStyle, hasColour, isInteractive, signsFor} from '../terminal.js'
import {type Facts} from './facts.js'
import {failureText} from './failure-text.js'
import {type Given, requireAll} from './given.js'
import {type Review} from './review.js'

export interface InitOptions {
  /** By the names of the questions; what is not given is undefined. */
  readonly answers: Readonly<Partial<Record<Question, string | undefined>>>
  /** Where to write the recipe, .yaml added where it has no such ending; null: as the run is called */
  readonly file: string | null
  readonly device: DeviceChoice
  /** Bytes; null: what there is */
  readonly gpuMemory: number | null
  readonly measures: boolean
  readonly takesDefaults: boolean
  readonly starts: boolean
  readonly isJson: boolean
  readonly reporter: Reporter
  /** For the result */
  readonly out: (text: string) => void
}

/** Names are those of `init --json`. */
export interface InitReport {
  /** null: nothing was written */
  readonly file: string | null
  readonly recipe: Recipe
  readonly plan: RunPlan
  /** Settings that were made smaller, so that a step fits */
  readonly fitted: readonly string[]
  /** null: not measured */
  readonly time: {
    readonly seconds: number
    readonly steps: number
    readonly tokens_per_second: number
    readonly source: string
  } | null
  readonly commands: Review['commands']
}

export interface Outcome {
  readonly report: InitReport
  /** Whether training is to follow */
  readonly isStarted: boolean
  readonly trainArguments: readonly string[]
}

export async function init({file, ...rest}: InitOptions): Promise<Outcome> {
  const options = {...rest, file: file === null ? null : recipeFileName(file)}
  const given: Given = new Map(
    QUESTIONS.flatMap((question) => {
      const answer = options.answers[question]
      return answer === undefined ? [] : [[question, answer] as const]
    }),
  )
  const isComplete = options.takesDefaults || given.size === QUESTIONS.length
  const isAsked = !isComplete && !options.isJson && hasTerminal()
  if (!isComplete && !isAsked) requireAll(given, options.isJson)
  if (options.file !== null) requireFree(options.file)
  const leave = leaveAtInterrupt(options.reporter)
  try {
    return await (isAsked ? asked(options, given) : unasked(options, given))
  } finally {
    leave.dispose()
  }
}

function hasTerminal(): boolean {
  return process.stdin.isTTY === true && isInteractive(process.stderr, process.env)
}

/** Between questions Ctrl+C is a signal; nothing has been written that would have to be finished. */
function leaveAtInterrupt(reporter: Reporter): {readonly dispose: () => void} {
  const leave = (): void => {
    reporter.stop()
    process.stderr.write(`${failureText(new InterruptedError('Stopped before the end.'))}\n`)
    process.exit(EXIT.interrupted)
  }
  process.prependListener('SIGINT', leave)
  return {dispose: () => process.off('SIGINT', leave)}
}

async function unasked(options: InitOptions, given: Given): Promise<Outcome> {
  const [{Facts}, {answerFromFlags}, {reviewOf, shownText}] = await Promise.all([
    import('./facts.js'),
    import('./from-flags.js'),
    import('./review.js'),
  ])
  const facts = new Facts(options)
  const speed = await answerFromFlags(facts, given, options.measures)
  const review = await reviewOf(facts, speed, fileFor(facts, options.file))
  options.out(shownText(review))
  await save(review, options)
  return outcomeOf(review, {isSaved: true, isStarted: options.starts})
}

async function asked(options: InitOptions, given: Given): Promise<Outcome> {
  const [{Facts}, {reviewOf, shownText}, {askEnding, Walk}] = await Promise.all([
    import('./facts.js'),
    import('./review.js'),
    import('./walk.js'),
  ])
  const facts = new Facts(options)
  const walk = new Walk(facts, options.measures)
  await walk.go(given)
  for (;;) {
    const review = await reviewOf(facts, await walk.speed(), fileFor(facts, options.file))
    options.out(`\n${shownText(review)}\n`)
    const ending = options.starts ? 'start' : await askEnding(review.file)
    if (ending === 'change') {
      await walk.change()
      continue
    }
    if (ending === 'leave') return outcomeOf(review, {isSaved: false, isStarted: false})
    await save(review, options)
    return outcomeOf(review, {isSaved: true, isStarted: ending === 'start'})
  }
}

/** The recipe is called as the run, and stands in the current directory. */
function fileFor(facts: Facts, file: string | null): string {
  if (file !== null) return file
  const stem = path.basename(path.resolve(facts.answer('out')))
  for (let number = 1; ; number++) {
    const name = `${stem}${number === 1 ? '' : `-${number}`}.yaml`
    if (!existsSync(name)) return name
  }
}

function requireFree(file: string): void {
  if (!existsSync(file)) return
  throw new FileError(`${file} is there already, and nothing is written over.`, {
    hint: 'Name a recipe file that does not exist yet.',
  })
}

async function save({file, text}: Review, {reporter}: InitOptions): Promise<void> {
  requireFree(file)
  await makeDirectory(path.dirname(file))
  await writeFileDurably(file, text)
  const {env, platform, stderr} = process
  reporter.note(`${createStyle(hasColour(stderr, env)).green(signsFor(env, platform).tick)} Wrote ${file}`)
}

function outcomeOf(review: Review, {isSaved, isStarted}: {isSaved: boolean; isStarted: boolean}): Outcome {
  const {commands, file, fitted, plan, recipe, speed, time} = review
  const known = time && speed
  return {
    isStarted,
    report: {
      commands,
      file: isSaved ? file : null,
      fitted,
      plan,
      recipe,
      time: known && {
        seconds: time.seconds,
        source: speed.source,
        steps: time.steps,
        tokens_per_second: speed.tokensPerSecond,
      },
    },
    trainArguments: review.trainArguments,
  }
}
