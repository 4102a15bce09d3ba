/**
 * Where each value of a recipe was written: `file:line:column`, or the `--set` that wrote it. A tree beside the plain values, with the same paths.
 * It knows nothing of YAML nor of the schema; the reader and the overrides fill it, and faults look their place up in it.
 */
import {type Fault} from '../errors.js'
import {type Path} from './paths.js'

export interface Place {
  /** `file:line:column` or `--set key`. */
  readonly where: string
  /** Faults are listed by this, so that they follow the file from top to bottom. */
  readonly order: number
}

export interface PlacedFault {
  readonly place: Place
  readonly message: string
}

interface PlaceNode {
  readonly key: Place
  readonly value: Place
  readonly children: Map<string, PlaceNode>
}

export class Places {
  readonly #root: PlaceNode

  constructor(root: Place) {
    this.#root = {children: new Map(), key: root, value: root}
  }

  /** The places of one document laid over those of another; `isBoth` says at which paths the keys of both count. */
  static over(own: Places, base: Places, isBoth: (path: Path) => boolean): Places {
    const laidOver = (upper: PlaceNode, lower: PlaceNode, path: Path): PlaceNode => {
      if (!isBoth(path)) return upper
      const children = new Map(lower.children)
      for (const [name, child] of upper.children) {
        const below = lower.children.get(name)
        children.set(name, below === undefined ? child : laidOver(child, below, [...path, name]))
      }
      return {...upper, children}
    }
    const result = new Places(own.#root.key)
    for (const [name, node] of laidOver(own.#root, base.#root, []).children) result.#root.children.set(name, node)
    return result
  }

  /** Notes where a value below the root and its key stand, and forgets what was known below. The parent must have been noted before. */
  set(path: Path, key: Place, value: Place): void {
    const node: PlaceNode = {children: new Map(), key, value}
    this.#deepest(path.slice(0, -1)).node.children.set(String(path.at(-1)), node)
  }

  /** The place of a key, or undefined if nothing was noted for exactly this path. */
  find(path: Path): Place | undefined {
    const {depth, node} = this.#deepest(path)
    return depth === path.length ? node.key : undefined
  }

  /** The place of a value, or of the nearest one noted around it. */
  ofValue(path: Path): Place {
    return this.#deepest(path).node.value
  }

  /** The place of a key; of what it is missing from, if it is missing. */
  ofKey(path: Path): Place {
    return this.#deepest(path).node.key
  }

  #deepest(path: Path): {depth: number; node: PlaceNode} {
    let node = this.#root
    for (const [depth, name] of path.entries()) {
      const child = node.children.get(String(name))
      if (child === undefined) return {depth, node}
      node = child
    }

    return {depth: path.length, node}
  }
}

/** Faults from the top of the file to its end, those of `--set` last. */
export function inOrder(faults: readonly PlacedFault[]): Fault[] {
  return [...faults]
    .sort((a, b) => a.place.order - b.place.order)
    .map(({message, place}) => ({message, where: place.where}))
}
