/** The shipped models with fewer layers, so that a step takes milliseconds; one of them as a Falcon-Mamba too. The tokenizer stays. */
import {copyFile, mkdir, writeFile} from 'node:fs/promises'
import path from 'node:path'
import {openModelDirectory} from '../../src/checkpoint/model-directory.js'
import {readTensorBytes, writeSafetensors} from '../../src/checkpoint/safetensors.js'

export type Family = 'falcon-mamba' | 'mamba' | 'mamba2'

const SOURCES: Readonly<Record<Family, string>> = {
  'falcon-mamba': 'models/tiny-mamba',
  mamba: 'models/tiny-mamba',
  mamba2: 'models/tiny-mamba2',
}

/** Norms on Δ, B and C without weights, and a head of its own: what sets Falcon-Mamba apart. */
const FALCON = {mixer_rms_eps: 1e-6, model_type: 'falcon_mamba', tie_word_embeddings: false}

const TABLE = 'backbone.embeddings.weight'

/** Writes it; returns its directory. */
export async function writeSmallModel(directory: string, family: Family, layers = 1): Promise<string> {
  const {config, tensors} = await openModelDirectory(SOURCES[family])
  const kept = [...tensors.values()].filter(({name}) => Number(/layers\.(\d+)\./.exec(name)?.[1] ?? 0) < layers)
  const head = kept.filter(({name}) => family === 'falcon-mamba' && name === TABLE)
  const named = [...kept, ...head.map((entry) => ({...entry, name: 'lm_head.weight'}))]
  await mkdir(directory, {recursive: true})
  await writeSafetensors(
    path.join(directory, 'model.safetensors'),
    named.map((entry) => ({...entry, bytes: () => readTensorBytes(entry)})),
  )
  const changed = {...config, num_hidden_layers: layers, ...(family === 'falcon-mamba' && FALCON)}
  await writeFile(path.join(directory, 'config.json'), JSON.stringify(changed))
  for (const name of ['tokenizer.json', 'tokenizer_config.json']) {
    await copyFile(path.join(SOURCES[family], name), path.join(directory, name))
  }
  return directory
}
