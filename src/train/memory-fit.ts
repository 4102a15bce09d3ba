/** Does a step fit, and if not, what would: from the estimate alone. */
import {type MemorySize} from '../backend/gpu/memory-size.js'
import {estimateEvaluation, estimateMemory} from './memory-estimate.js'
import {type MemoryEstimate} from './memory-parts.js'
import {type Checkpointing, type StepShape, supervisedOf} from './memory-shape.js'

/**
 * The share of the memory that an estimate may take. The rest is for the driver, for buffers that wait for reuse (an eighth
 * of what is in use) and for what the estimate gets wrong.
 */
const SHARE = 0.85

/** Bytes that an estimate may take where the memory is not known: GPUs with less than 6 GB are rare by now. */
const UNKNOWN_BYTES = 4 * 2 ** 30

export function fits(total: number, {bytes}: MemorySize): boolean {
  return total <= (bytes === null ? UNKNOWN_BYTES : SHARE * bytes)
}

/** What train.checkpointing: auto means. Activations are kept where that fits, because it saves a third of the time. */
export async function chooseCheckpointing(shape: StepShape, memory: MemorySize): Promise<Checkpointing> {
  if (shape.device !== 'gpu') return 'none'
  const {total} = await estimateMemory({...shape, checkpointing: 'none'})
  return fits(total, memory) ? 'none' : 'block'
}

/** Settings that are predicted to fit. */
export interface FittingSettings {
  /** As after --set */
  readonly settings: readonly string[]
  /** Bytes, estimated */
  readonly total: number
}

/** A step of a run, whose micro-batches may be made smaller. */
export interface RunShape extends StepShape {
  readonly gradientAccumulation: number
}

/**
 * From what changes least: activations computed again, smaller batches with as many rows per step, both, and then shorter
 * sequences. At most one of each kind.
 */
export async function fittingSettings(shape: RunShape, memory: MemorySize): Promise<readonly FittingSettings[]> {
  const kinds = [
    checkpointed(shape),
    smallerBatches(shape, shape.checkpointing),
    ...(shape.checkpointing === 'none' ? [smallerBatches(shape, 'block')] : []),
    shorter(shape),
  ]
  return firstOfEach(kinds, memory, estimateMemory)
}

/** The same for mambatune eval: fewer rows at once, which changes no result, or else shorter ones. */
export async function fittingEvaluation(shape: StepShape, memory: MemorySize): Promise<readonly FittingSettings[]> {
  const fewer = halves(shape.rows, 1).map((rows) => ({
    settings: [`batch-size=${rows}`],
    shape: resized(shape, rows, shape.length),
  }))
  const [fitting] = await firstOfEach([fewer], memory, estimateEvaluation)
  if (fitting) return [fitting]
  const short = halves(shape.length, SHORTEST).map((length) => ({
    settings: ['batch-size=1', `max-length=${length}`],
    shape: resized(shape, 1, length),
  }))
  return firstOfEach([short], memory, estimateEvaluation)
}

interface Candidate {
  readonly settings: readonly string[]
  readonly shape: StepShape
}

/** Tokens. Nobody trains on less. */
const SHORTEST = 16

async function firstOfEach(
  kinds: readonly (readonly Candidate[])[],
  memory: MemorySize,
  estimate: (shape: StepShape) => Promise<MemoryEstimate>,
): Promise<FittingSettings[]> {
  const found: FittingSettings[] = []
  for (const candidates of kinds) {
    for (const {settings, shape} of candidates) {
      const {total} = await estimate(shape)
      if (!fits(total, memory)) continue
      found.push({settings, total})
      break
    }
  }
  return found
}

/** size / 2, size / 4 … down to `smallest`. */
function halves(size: number, smallest: number): number[] {
  const half = Math.floor(size / 2)
  return half < smallest ? [] : [half, ...halves(half, smallest)]
}

const blockSetting = (shape: StepShape, checkpointing: Checkpointing): string[] =>
  checkpointing === 'block' && shape.checkpointing === 'none' ? ['train.checkpointing=block'] : []

function checkpointed(shape: RunShape): Candidate[] {
  const settings = blockSetting(shape, 'block')
  return settings.length === 0 ? [] : [{settings, shape: {...shape, checkpointing: 'block'}}]
}

/** The largest first. Only divisors, so that a step still has the same rows. */
function smallerBatches(shape: RunShape, checkpointing: Checkpointing): Candidate[] {
  const smaller = Array.from({length: shape.rows - 1}, (_, index) => shape.rows - 1 - index)
  return smaller
    .filter((rows) => shape.rows % rows === 0)
    .map((rows) => ({
      settings: [...blockSetting(shape, checkpointing), ...batchSettings(shape, rows)],
      shape: resized({...shape, checkpointing}, rows, shape.length),
    }))
}

/** One row at a time, with activations computed again, in halves of the length. */
function shorter(shape: RunShape): Candidate[] {
  return halves(shape.length, SHORTEST).map((length) => ({
    settings: [
      ...blockSetting(shape, 'block'),
      ...(shape.rows === 1 ? [] : batchSettings(shape, 1)),
      `data.max_length=${length}`,
    ],
    shape: resized({...shape, checkpointing: 'block'}, 1, length),
  }))
}

function batchSettings(shape: RunShape, rows: number): string[] {
  return [`train.batch_size=${rows}`, `train.gradient_accumulation=${(shape.gradientAccumulation * shape.rows) / rows}`]
}

function resized(shape: StepShape, rows: number, length: number): StepShape {
  const share = (rows * length) / (shape.rows * shape.length)
  return {...shape, length, rows, supervised: Math.ceil(supervisedOf(shape) * share)}
}
