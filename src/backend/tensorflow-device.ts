/**
 * The `tensorflow` device: TensorFlow's own library behind TensorFlow.js. The package is an optional peer that the user
 * installs; it is imported only when this device is asked for.
 */
import {readFileSync} from 'node:fs'
import {createRequire} from 'node:module'
import * as tf from '@tensorflow/tfjs-core'
import {DeviceError} from '../errors.js'

const PACKAGES = ['@tensorflow/tfjs-node-gpu', '@tensorflow/tfjs-node']

/** Loads whichever package is installed and makes `tensorflow` the current backend; returns its description. */
export async function startTensorflow(load: (name: string) => unknown = requirePackage): Promise<string> {
  restoreRemovedNodeFunctions()
  const faults: {where: string; message: string}[] = []
  const before = tf.getBackend()
  for (const name of PACKAGES) {
    try {
      load(name)
      if (!(await tf.setBackend('tensorflow'))) throw new Error('its backend did not start')
      await tf.ready()
      return `tensorflow, through ${name}`
    } catch (error) {
      faults.push({message: firstLine(error), where: name})
    }
  }
  if (before) await tf.setBackend(before) // a backend that did not start stays the current one otherwise
  throw new DeviceError('No TensorFlow library is installed for --device tensorflow.', {
    faults,
    hint: 'Install one: npm install @tensorflow/tfjs-node-gpu (or @tensorflow/tfjs-node). Or use --device cpu.',
  })
}

export interface InstalledPackage {
  readonly name: string
  readonly version: string
}

/** Which of the packages are there. None is loaded, because that takes seconds. */
export function installedTensorflow(): InstalledPackage[] {
  const {resolve} = createRequire(import.meta.url)
  return PACKAGES.flatMap((name) => {
    try {
      const {version} = JSON.parse(readFileSync(resolve(`${name}/package.json`), 'utf8')) as {version: string}
      return [{name, version}]
    } catch {
      return [] // not installed
    }
  })
}

function requirePackage(name: string): unknown {
  return createRequire(import.meta.url)(name)
}

function firstLine(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  return message.split('\n')[0]
}

/** tfjs-node calls util.isNullOrUndefined and util.isArray, which Node 23 removed. */
function restoreRemovedNodeFunctions(): void {
  const util = createRequire(import.meta.url)('node:util') as Record<string, unknown>
  util.isNullOrUndefined ??= (value: unknown) => value === null || value === undefined
  util.isArray ??= Array.isArray
}
