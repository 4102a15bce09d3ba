/**
 * An array whose entries are read when they are asked for. It is a real array's methods that run on it, over entries and a length that
 * come from here, so that nobody who takes examples has to know where they lie; but `[...examples]` or `map` to the entries themselves
 * would bring all of them into memory.
 */

/** `read` is asked for whole numbers from 0 to below `length`. */
export function onDemand<T>(length: number, read: (index: number) => T): readonly T[] {
  const isIndex = (name: string | symbol): name is string =>
    typeof name === 'string' && /^\d+$/.test(name) && Number(name) < length
  return new Proxy<readonly T[]>([], {
    get(target, name) {
      if (name === 'length') return length
      return isIndex(name) ? read(Number(name)) : (Reflect.get(target, name) as unknown)
    },
    has: (target, name) => isIndex(name) || Reflect.has(target, name),
  })
}
