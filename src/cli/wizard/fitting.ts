/** Which of the models that were found fit this machine. */
import {fitOf, type ModelFit} from '../../report/new/model-fit.js'
import {type Facts} from './facts.js'

/** By name of the model. Estimated once: on a GPU each takes half a second. */
export function fitsOf(facts: Facts): Promise<ReadonlyMap<string, ModelFit>> {
  return facts.once('fits', '', async () => {
    const {reporter} = facts.options
    const step = reporter.step('Looking for models and what this machine has room for')
    try {
      const [models, place] = [await facts.models(), await facts.place()]
      return await fitOf(models, place, (done, of) => step.update(`Estimating what fits: ${done} of ${of} models`))
    } finally {
      reporter.stop()
    }
  })
}
