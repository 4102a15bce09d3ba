// A program that starts the cpu device on a given number of threads, uses it and comes to its end; see process.test.ts.
// Arguments: the folder of compiled code, the number of threads.
import {createHash} from 'node:crypto'
import os from 'node:os'
import {pathToFileURL} from 'node:url'
import * as tf from '@tensorflow/tfjs-core'

const [folder, threads] = process.argv.slice(2)
os.availableParallelism = () => Number(threads)
const load = (path) => import(new URL(path, pathToFileURL(`${folder}/`)))
const {startDevice} = await load('backend/devices.js')
const {adaptedLinear} = await load('ops/adapted-linear/adapted-linear.js')
const {linearCrossEntropy} = await load('ops/linear-cross-entropy/linear-cross-entropy.js')
const {rmsNorm} = await load('ops/rms-norm/rms-norm.js')

const {description} = await startDevice('cpu')

let seed = 1
const uniform = (...shape) =>
  tf.tensor(
    Float32Array.from(
      {length: tf.util.sizeFromShape(shape)},
      () => (seed = (seed * 48_271) % 2_147_483_647) / 2 ** 30 - 1,
    ),
    shape,
  )

const [rows, inner, vocabulary] = [150, 67, 301]
const labels = tf.tensor1d(
  Int32Array.from({length: rows}, (_, row) => (row * 7) % vocabulary),
  'int32',
)
const loss = (x, weight, down, up, head, scale) => {
  const update = {down, up, x: null}
  const hidden = rmsNorm(adaptedLinear({bias: null, update, weight, weightTransposed: null, x}), scale, 1e-5)
  return linearCrossEntropy({hidden, labels, weight: head, weightTransposed: null})
}
const inputs = [
  uniform(rows, inner),
  uniform(inner, inner),
  uniform(5, inner),
  uniform(inner, 5),
  uniform(vocabulary, inner),
  uniform(inner),
]

const hash = createHash('sha256')
for (const tensor of [loss(...inputs), ...tf.grads(loss)(inputs)]) {
  hash.update(new Uint8Array(tensor.dataSync().slice().buffer))
}
console.log(JSON.stringify({description, digest: hash.digest('hex')}))
