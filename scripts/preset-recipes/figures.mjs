// What is known of a preset's memory and speed: measured on a GPU where it was, else as `mambatune plan` estimates it.
import {readFileSync} from 'node:fs'

const read = (name) => JSON.parse(readFileSync(new URL(name, import.meta.url), 'utf8'))

/** A step that fits takes at most this share of a GPU's memory; the rest is for the driver and for buffers that wait. */
const SHARE = 0.85

/** GiB of the GPUs that there are. */
const GPUS = [2, 4, 6, 8, 10, 12, 16, 24, 32, 40, 48, 80]

export const GIB = 2 ** 30

/**
 * All that is written in the two files, by name of the recipe.
 * @typedef {{base: number, trained: number, none: number, block: number}} Estimated numbers, and bytes of a step
 * @typedef {{recipe: string, tokens_per_second: number, peak_gib: number, date: string, commit: string}} Measured
 * @returns {{estimated: Record<string, Estimated>, gpu: string, measured: Map<string, Measured>}}
 */
export function readFigures() {
  const {gpu, rows} = read('measured.json')
  return {estimated: read('estimated.json'), gpu, measured: new Map(rows.map((row) => [row.recipe, row]))}
}

/** The smallest usual GPU that a step of so many GiB fits. */
export const smallestGpu = (gib) => GPUS.find((size) => gib <= SHARE * size)

export const inGib = (bytes) => (bytes / GIB).toFixed(2)

/** 'Measured on …' or 'Not measured …', a paragraph each. */
export function figureParagraphs(name, {estimated, gpu, measured}) {
  const {base, block, none, trained} = estimated[name]
  const share = ((100 * trained) / (base + trained)).toPrecision(2)
  const estimate = `mambatune plan ${name} --device gpu says ${inGib(none)} GiB with all activations kept, ${inGib(block)} GiB with block checkpointing.`
  const row = measured.get(name)
  const figures = row
    ? `Measured by mambatune bench --preset ${presetOf(name)} --recipe ${name} on one ${gpu} (${row.date}, commit ${row.commit}), activations kept: ${whole(row.tokens_per_second)} tokens/s, ${row.peak_gib.toFixed(2)} GiB at most.`
    : 'Not measured: that memory is an estimate, which tests hold to 10 % of what a GPU takes, and speed is not known.'
  return [`Trains ${whole(trained)} numbers, ${share} % of all.`, estimate, figures]
}

/** A recipe is named after its model's shape and its method. */
const presetOf = (name) => name.replace(/-[a-z]+$/, '')

export const whole = (number) => number.toLocaleString('en-US')
