import util from 'node:util'
import {MathBackendCPU} from '@tensorflow/tfjs-backend-cpu'
import * as tf from '@tensorflow/tfjs-core'
import {afterEach, beforeAll, describe, expect, test} from '@jest/globals'
import {startTensorflow} from '../../src/backend/tensorflow-device.js'
import {DeviceError, EXIT} from '../../src/errors.js'
import {CASES} from '../ops/every-operation.js'
import {wantedOf} from '../ops/subject.js'
import {bitFaultsOf, faultsOf} from '../support/compare.js'
import {useBackend} from '../support/device.js'
import {evaluate} from '../support/evaluate.js'

beforeAll(() => useBackend('cpu'))

const removable = util as unknown as Record<'isArray' | 'isNullOrUndefined', ((value: unknown) => boolean) | undefined>
const original = {isArray: removable.isArray, isNullOrUndefined: removable.isNullOrUndefined}

afterEach(async () => {
  await useBackend('cpu')
  if (tf.findBackendFactory('tensorflow')) tf.removeBackend('tensorflow')
  Object.assign(removable, original)
})

/** Registers TensorFlow.js's plain backend under TensorFlow's name, as @tensorflow/tfjs-node registers its own. */
function registerStandIn(): void {
  tf.registerBackend('tensorflow', () => new MathBackendCPU())
  for (const kernel of tf.getKernelsForBackend('cpu')) {
    const isOurs = tf.getKernel(kernel.kernelName, 'tensorflow') !== undefined
    if (!isOurs) tf.registerKernel({...kernel, backendName: 'tensorflow'})
  }
}

async function failureOf(load: (name: string) => unknown): Promise<unknown> {
  return startTensorflow(load).then(
    (description) => `started: ${description}`,
    (error: unknown) => error,
  )
}

describe('the tensorflow device without its library', () => {
  test('names both packages, what each said first, and how to install one', async () => {
    const error = await failureOf((name) => {
      throw new Error(`Cannot find module '${name}'\nRequire stack:\n- somewhere`)
    })
    expect(error).toBeInstanceOf(DeviceError)
    expect(error).toMatchObject({
      exit: EXIT.device,
      faults: ['@tensorflow/tfjs-node-gpu', '@tensorflow/tfjs-node'].map((name) => ({
        message: `Cannot find module '${name}'`,
        where: name,
      })),
      hint: expect.stringMatching(/npm install @tensorflow\/tfjs-node-gpu.*--device cpu/),
    })
  })

  test('reports the package that is there and brings no backend', async () => {
    expect(await failureOf(() => ({}))).toMatchObject({
      exit: EXIT.device,
      faults: [{message: expect.stringContaining('tensorflow')}, {message: expect.stringContaining('tensorflow')}],
    })
    expect(tf.getBackend()).toBe('cpu')
  })

  test('reports the package whose backend does not start', async () => {
    const error = await failureOf(() => {
      tf.registerBackend('tensorflow', () => {
        throw new Error('libtensorflow.so.2: cannot open shared object file')
      })
    })
    expect(error).toMatchObject({exit: EXIT.device})
    expect(tf.getBackend()).toBe('cpu')
  })

  test('looks for the packages where the program is installed', async () => {
    const error = (await startTensorflow().catch((reason: unknown) => reason)) as DeviceError
    expect(error.faults.map(({message}) => message)).toEqual([
      expect.stringContaining('@tensorflow/tfjs-node-gpu'),
      expect.stringContaining('@tensorflow/tfjs-node'),
    ])
  })
})

describe('the tensorflow device with its library', () => {
  test('takes the first package that loads and makes its backend the current one', async () => {
    const asked: string[] = []
    const description = await startTensorflow((name) => {
      asked.push(name)
      if (name.endsWith('gpu')) throw new Error('no CUDA')
      registerStandIn()
    })
    expect(asked).toEqual(['@tensorflow/tfjs-node-gpu', '@tensorflow/tfjs-node'])
    expect(description).toBe('tensorflow, through @tensorflow/tfjs-node')
    expect(tf.getBackend()).toBe('tensorflow')
  })

  test('gives back the functions that Node removed and the library calls, and leaves those that are there', async () => {
    const isArray = (value: unknown): boolean => value === 'mine'
    removable.isArray = isArray
    removable.isNullOrUndefined = undefined
    await startTensorflow(() => {
      expect([null, undefined, 0, '', false].map((value) => removable.isNullOrUndefined?.(value))).toEqual([
        true,
        true,
        false,
        false,
        false,
      ])
      expect(removable.isArray).toBe(isArray)
      registerStandIn()
    })
  })

  test('has every operation of ours', async () => {
    await startTensorflow(registerStandIn)
    const ours = (backend: string): string[] =>
      tf.getKernelsForBackend(backend).flatMap(({kernelName}) => (kernelName.startsWith('Mamba') ? [kernelName] : []))
    expect(ours('tensorflow').sort()).toEqual(ours('wasm').sort())
    expect(ours('tensorflow').length).toBeGreaterThan(5)
  })

  test.each(CASES.map((one) => ({...one, name: one.subject.name})))(
    'computes the values and gradients of the $name',
    async ({inputs, subject}) => {
      const wanted = wantedOf(subject, inputs)
      const expected = await evaluate(subject.call, inputs, wanted)
      await startTensorflow(registerStandIn)
      const results = await evaluate(subject.call, inputs, wanted)
      expect(bitFaultsOf(results, expected)).toEqual({})
      const exact = subject.exact(inputs)
      const values = Object.fromEntries(Object.keys(exact).map((name) => [name, results[name]]))
      expect(faultsOf(values, exact)).toEqual({})
    },
  )
})
