/**
 * Norms of gradients by group: tensors of one adapter entry and one kind of place, over all layers. A norm for each of a
 * thousand tensors could not be read; one for all of them would hide that only a projection has stopped learning.
 *
 *   adapters.0.layers.3.mixer.x_proj.B.lora_A → 0.x_proj.B
 */
const LAYER = /^layers\.\d+\.(?:mixer\.)?/
const MATRIX = /\.(?:lora_[AB]|[UV])$/

export function groupOf(tensor: string): string {
  const [, entry = '', rest = tensor] = /^adapters\.(\d+)\.(.*)$/.exec(tensor) ?? []
  return `${entry}.${rest.replace(LAYER, '').replace(MATRIX, '')}`
}

/** √ Σ norm² of the tensors of each group. */
export function groupNorms(norms: ReadonlyMap<string, number>): Record<string, number> {
  const squares = new Map<string, number>()
  for (const [tensor, norm] of norms) squares.set(groupOf(tensor), (squares.get(groupOf(tensor)) ?? 0) + norm ** 2)
  return Object.fromEntries([...squares].map(([group, sum]) => [group, Math.sqrt(sum)]))
}
