/** A recipe with every value filled in, as YAML: what a run keeps beside its results. Reading it back gives the same recipe. */
import {Document, isScalar, isSeq, visit} from 'yaml'

import {withoutReferences} from './environment.js'
import {type Recipe} from './schema.js'

const HEADER = ` Every value of a run, defaults filled in. Training from this file repeats the run:
   mambatune train FILE --out NEW_DIRECTORY
 Paths are relative to the directory in which the run was started.`

export function resolvedYaml(recipe: Recipe): string {
  const document = new Document(recipe, {aliasDuplicateObjects: false})
  document.commentBefore = HEADER
  visit(document, {
    Scalar(_, scalar) {
      if (typeof scalar.value === 'string') scalar.value = withoutReferences(scalar.value)
    },
    Seq(_, list) {
      if (isSeq(list) && list.items.every((item) => isScalar(item))) list.flow = true
    },
  })
  return document.toString({flowCollectionPadding: false, lineWidth: 0})
}
