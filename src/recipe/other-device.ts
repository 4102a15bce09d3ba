/** What to say of a run that is to go on where its device is not there, or on another device than it began on. */
import {DeviceError} from '../errors.js'
import {type RunState} from './run-state.js'

/** `error` if the device that a run began on does not start: with what is kept, and how to go on without it. */
export function withoutItsDevice(error: unknown, {origin: {device}, progress}: RunState, run: string): unknown {
  if (!(error instanceof DeviceError)) return error
  const {cause, faults, message} = error
  const kept = `The run began on ${device.description}; its checkpoint after step ${progress.step} is kept.`
  const hint = [
    `mambatune resume ${run} --fork NEW_DIRECTORY --device cpu`,
    `There, ${otherBytes(progress.step)}.`,
    'For the device itself: mambatune doctor says what was found.',
  ]
  return new DeviceError(`${message} ${kept}`, {cause, faults, hint: hint.join('\n')})
}

/** A note on a run that goes on with numbers of another device; null if the device is the same. */
export function otherDeviceNote(before: RunState, now: RunState['origin']['device']): string | null {
  const {description, name, precision} = before.origin.device
  if (now.name === name && now.precision === precision) {
    if (now.name !== 'gpu' || now.description === description) return null
    return `the run began on ${description}; on another GPU the last bits of its numbers may come out differently`
  }
  return `the run began on ${description}, and goes on on ${now.description}: ${otherBytes(before.progress.step)}`
}

function otherBytes(step: number): string {
  return `from step ${step + 1} on its numbers, and so the adapter's bytes, are not those of the device it began on`
}
