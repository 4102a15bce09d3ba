/** Paths into the plain values of a recipe: how they are written, read and written to. Inherited properties do not count as keys. */

/** Keys and list indices from the root down. */
export type Path = readonly PropertyKey[]

/** `train.batch_size`, `adapters.0.rank`: the way a key is written in messages and after `--set`. */
export function dotted(path: Path): string {
  return path.map(String).join('.')
}

/** The value at a path, undefined if there is none. */
export function valueAt(root: unknown, path: Path): unknown {
  return path.reduce<unknown>((value, name) => (hasOwn(value, name) ? value[name] : undefined), root)
}

/** Whether something is written at a path, be it null. */
export function hasValueAt(root: unknown, path: Path): boolean {
  const name = path.at(-1)
  return name === undefined || hasOwn(valueAt(root, path.slice(0, -1)), name)
}

/** Also for `__proto__`, which plain assignment would take for the prototype. */
export function setOwn(target: object, name: string, value: unknown): void {
  Object.defineProperty(target, name, {configurable: true, enumerable: true, value, writable: true})
}

function hasOwn(value: unknown, name: PropertyKey): value is Record<PropertyKey, unknown> {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
}
