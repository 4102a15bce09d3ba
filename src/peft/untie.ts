/**
 * Merging what acts on one use of a tied embedding. A tied model has one tensor for input and head, so such an update has
 * no place in it until the two are untied: the checkpoint gets a head of its own, V · d numbers more, and its config says
 * so. What acts on both uses merges into the one tensor, or into both.
 */
import {type ModelFiles} from '../checkpoint/model-directory.js'
import {type Fault, MismatchError} from '../errors.js'
import {type MambaConfig} from '../model/config.js'
import {EMBEDDINGS, HEAD} from '../model/parameters.js'
import {type MergeStep} from './method.js'
import {INPUT_ALONE} from './sites-of.js'

type Steps = ReadonlyMap<string, MergeStep>

/** Errors: MismatchError for updates that need untying where it is not asked for, and for untying what is not tied. */
export function checkTies(steps: Steps, {tied}: MambaConfig, untie: boolean): void {
  if (untie && !tied) {
    throw new MismatchError('This model is not tied: its head is a tensor of its own already.', {
      hint: 'Leave --untie out.',
    })
  }
  if (!tied || untie) return
  const uses = [
    [INPUT_ALONE, 'embeddings', 'the input alone'],
    [HEAD, 'lm_head', 'the head alone'],
  ] as const
  const faults = uses.flatMap(([name, where, use]): Fault[] =>
    steps.has(name) ? [{message: `acts on ${use}, and the model has one tensor for both`, where}] : [],
  )
  if (faults.length === 0) return
  throw new MismatchError('This adapter cannot be merged while input embedding and head are tied.', {
    faults,
    hint: 'Add --untie: the merged model gets a head of its own, one more tensor of the size of the embedding.',
  })
}

/** The steps for a model with two tensors in place of one. */
export function untiedSteps(steps: Steps): Steps {
  const {[EMBEDDINGS]: both, [HEAD]: head, [INPUT_ALONE]: input, ...others} = Object.fromEntries(steps)
  const together = (first?: MergeStep, second?: MergeStep): MergeStep => {
    return (weight) => {
      first?.(weight)
      second?.(weight)
    }
  }
  return new Map([
    ...Object.entries(others),
    ...(both || input ? [[EMBEDDINGS, together(both, input)] as const] : []),
    ...(both || head ? [[HEAD, together(both, head)] as const] : []),
  ])
}

/** The files as if the head had been stored beside the embedding. */
export function untiedFiles(files: ModelFiles): ModelFiles {
  const embedding = files.tensors.get(EMBEDDINGS)
  if (!embedding) return files
  const tensors = new Map(files.tensors).set(HEAD, {...embedding, name: HEAD})
  return {...files, config: {...files.config, tie_word_embeddings: false}, tensors}
}

const KEY = /("tie_word_embeddings"\s*:\s*)(?:true|false|null)/g

/** The text of a config of such a model. */
export function withoutTie(text: string): string {
  return KEY.test(text) ? text.replace(KEY, '$1false') : text.replace('{', '{\n  "tie_word_embeddings": false,')
}
