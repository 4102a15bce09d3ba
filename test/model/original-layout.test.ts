/** Checkpoints in the layout of Mamba's authors, pickled by PyTorch: their logits are those of the authors' program. */
import {afterAll, describe, expect, test} from '@jest/globals'
import * as tf from '@tensorflow/tfjs-core'
import {openModelDirectory} from '../../src/checkpoint/model-directory.js'
import {forward, logitsOf} from '../../src/model/language-model.js'
import {loadModel} from '../../src/model/load-model.js'
import {baseSites} from '../../src/model/sites.js'
import {difference} from '../support/close.js'
import {EVERY_BACKEND, useBackend} from '../support/every-backend.js'
import {goldenPath, readReference} from '../support/golden.js'

/** Their fused kernels take exponentials and sums of f32 in hardware's approximations. */
const FUSED = {absolute: 1e-3, relative: 1e-3}

const MODELS = ['original-mamba1', 'original-mamba2']

describe.each(EVERY_BACKEND.flatMap((backend) => MODELS.map((name) => [name, backend] as const)))(
  '%s on %s',
  (name, backend) => {
    afterAll(() => expect(tf.memory().numTensors).toBe(0))

    test("has the logits of the authors' program", async () => {
      await useBackend(backend)
      const reference = await readReference(goldenPath(name, 'reference.safetensors'))
      const [batch, length] = reference.shape('input_ids')
      const model = await loadModel(await openModelDirectory(goldenPath(name)))
      const logits = tf.tidy(() => {
        const ids = tf.tensor2d(reference.ints('input_ids'), [batch, length], 'int32')
        const sites = baseSites(model.weights)
        return logitsOf(model, sites, forward(model, sites, ids).hidden) // (B, L, V)
      })
      expect(logits.shape).toEqual(reference.shape('logits'))
      expect(difference(await logits.data(), reference.floats('logits'), FUSED)).toBeNull()
      logits.dispose()
      model.weights.dispose()
    })
  },
)
