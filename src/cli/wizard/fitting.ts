/** Which of the models that were found fit this machine. */
import {type FoundModel} from '../../report/new/find-models.js'
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

/** The first model that fits, else the first of all. Those behind it are not estimated. */
export async function firstThatFits(facts: Facts): Promise<FoundModel> {
  const [models, place] = [await facts.models(), await facts.place()]
  for (const model of models) {
    const fitting = await fitOf([model], place)
    if (fitting.get(model.base)?.fits) return model
  }
  return models[0]
}
