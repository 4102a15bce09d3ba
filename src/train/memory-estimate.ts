/** The memory of a step before it runs. The most that is there at once is what counts. */
import {countOnProcessor} from './memory-cpu.js'
import {rehearseEvaluation, rehearseTraining} from './memory-gpu.js'
import {estimateFrom, type MemoryEstimate} from './memory-parts.js'
import {type StepShape} from './memory-shape.js'

/** Of a training step. On a GPU it is counted in a rehearsal, for which no other computation may be under way. */
export async function estimateMemory(shape: StepShape): Promise<MemoryEstimate> {
  return estimateFrom(shape.device === 'gpu' ? await rehearseTraining(shape) : countOnProcessor(shape))
}

/** Of an evaluation, on a GPU. */
export async function estimateEvaluation(shape: StepShape): Promise<MemoryEstimate> {
  return estimateFrom(await rehearseEvaluation(shape))
}
