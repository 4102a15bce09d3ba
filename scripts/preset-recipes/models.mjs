// The published models that have preset recipes, and how much of the data a step takes. Shapes are those of src/model/presets.ts.

/**
 * The rate of low-rank updates falls as models become wider: rate × width is about 0.8 in all of these, from the 1e-3 that is
 * usual at a width of 768 to the 2e-4 that is usual at 4,096.
 */
const RATES = {768: '1.0e-3', 1024: '8.0e-4', 1536: '5.0e-4', 2048: '4.0e-4', 2560: '3.0e-4', 4096: '2.0e-4'}

const LENGTH = 512

const model = (preset, base, {layers, width}) => {
  const isLarge = width >= 2048
  return {base, batch: isLarge ? 4 : 8, layers, length: LENGTH, preset, rate: RATES[width], width}
}

/** In the order of the list: by family, the smallest first. */
export const MODELS = [
  model('mamba-130m', 'state-spaces/mamba-130m-hf', {layers: 24, width: 768}),
  model('mamba-370m', 'state-spaces/mamba-370m-hf', {layers: 48, width: 1024}),
  model('mamba-790m', 'state-spaces/mamba-790m-hf', {layers: 48, width: 1536}),
  model('mamba-1.4b', 'state-spaces/mamba-1.4b-hf', {layers: 48, width: 2048}),
  model('mamba-2.8b', 'state-spaces/mamba-2.8b-hf', {layers: 64, width: 2560}),
  model('mamba2-130m', 'state-spaces/mamba2-130m', {layers: 24, width: 768}),
  model('mamba2-370m', 'state-spaces/mamba2-370m', {layers: 48, width: 1024}),
  model('mamba2-780m', 'state-spaces/mamba2-780m', {layers: 48, width: 1536}),
  model('mamba2-1.3b', 'state-spaces/mamba2-1.3b', {layers: 48, width: 2048}),
  model('mamba2-2.7b', 'state-spaces/mamba2-2.7b', {layers: 64, width: 2560}),
  model('falcon-mamba-7b', 'tiiuae/falcon-mamba-7b', {layers: 64, width: 4096}),
  model('mamba-codestral-7b', 'mistralai/Mamba-Codestral-7B-v0.1', {layers: 64, width: 4096}),
].map((entry) => ({...entry, isMamba2: /^mamba2-|codestral/.test(entry.preset)}))
