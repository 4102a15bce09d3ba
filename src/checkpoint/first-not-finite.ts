/**
 * Where values are not finite. Models and adapters are looked through value by value when they are opened, so what is called for each
 * is looked up once: where globals are slow, as in the sandboxes that tests run in, that is most of the time.
 */
const {isFinite} = Number

/** Index of the first value that is infinite or no number, from `start` on; -1 if there is none. */
export function firstNotFinite(values: Float32Array, start = 0): number {
  for (let index = start; index < values.length; index++) if (!isFinite(values[index])) return index
  return -1
}
