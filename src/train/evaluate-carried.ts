/** Evaluation of examples longer than a row: in pieces, with the state carried, which gives what one long pass would give. */
import {setImmediate} from 'node:timers/promises'
import {carriedRows, collateCarried} from '../data/carried-rows.js'
import {type Example} from '../data/rows.js'
import {interruption} from '../errors.js'
import {carriedLoss, type Trainee} from './batch-loss.js'
import {CarriedState} from './carried-state.js'
import {type Evaluation, type EvaluationOptions, meanOf} from './evaluate.js'

export async function evaluateCarried(
  {adapters, model}: Trainee,
  examples: readonly Example[],
  {batchSize, length, report = () => {}, signal}: EvaluationOptions & {readonly length: number},
): Promise<Evaluation> {
  const {at, batches, rows} = carriedRows(examples, {length, rows: batchSize, seed: 0, shuffle: false})
  const state = CarriedState.create(model.config.layers, rows, null)
  let loss = 0
  let tokens = 0
  let supervised = 0
  try {
    for (let index = 0; index < batches; index++) {
      await setImmediate() // let the terminal repaint and signals arrive
      if (signal?.aborted) throw interruption(signal, 'Stopped during evaluation.')
      const batch = collateCarried(at(0, index))
      const {loss: sum, state: after} = await carriedLoss({adapters, model}, batch, state.current) // waits for the device
      state.advance(after)
      loss += sum
      tokens += batch.tokens
      supervised += batch.supervisedTokens
      report(index + 1, batches)
    }
  } finally {
    state.dispose()
  }
  return meanOf(loss, tokens, supervised)
}
