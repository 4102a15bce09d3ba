/** Which export of GGUF the flags ask for: a model, base + adapter, or the adapter alone. */
import path from 'node:path'
import {type GgufDtype} from '../checkpoint/gguf-dtypes.js'
import {UsageError} from '../errors.js'
import {exportGguf, type GgufReport} from '../model/export-gguf.js'
import {exportGgufLora, type GgufLoraReport} from '../peft/export-gguf-lora.js'
import {exportMergedGguf, type MergedGgufReport} from '../peft/export-merged-gguf.js'
import {readAdapter} from '../peft/saved-adapter.js'
import {findModel, findModelAndTokenizer} from './locate-model.js'
import {type Bar, type Reporter} from './reporter.js'

export interface GgufWish {
  readonly path: string
  readonly isModel: boolean
  readonly format: 'gguf' | 'gguf-lora'
  readonly out: string
  readonly dtype?: GgufDtype | undefined
  readonly base?: string | undefined
  readonly tokenizer?: string | undefined
  readonly partial: boolean
  readonly 'any-base': boolean
}

export async function ggufExport(
  wish: GgufWish,
  reporter: Reporter,
): Promise<GgufLoraReport | GgufReport | MergedGgufReport> {
  const {'any-base': anyBase, dtype, format, isModel, out, partial, path: adapter} = wish
  if (isModel) return exportModel(wish, reporter)
  const base = wish.base ?? (await readAdapter(adapter)).base.path
  if (format === 'gguf-lora') {
    refuse({'--tokenizer': wish.tokenizer}, 'an adapter has no tokenizer')
    return exportGgufLora({
      adapter,
      anyBase,
      base: await findModel(base, reporter),
      dtype: dtype ?? 'f32',
      out,
      partial,
    })
  }
  const {directory, name, tokenizer} = await findModelAndTokenizer(base, wish, reporter)
  const called = `${path.basename(name)} with ${path.basename(path.resolve(adapter))}`
  const options = {
    adapter,
    anyBase,
    baseName: name,
    dtype: dtype ?? 'f16',
    model: directory,
    name: called,
    out,
    partial,
  }
  return withProgress(reporter, out, (report) => exportMergedGguf({...options, report, tokenizer}))
}

async function exportModel({dtype, out, ...wish}: GgufWish, reporter: Reporter): Promise<GgufReport> {
  if (wish.format === 'gguf-lora') {
    throw new UsageError('--format gguf-lora is for adapters, and this is a model.', {
      hint: 'Type --format gguf instead.',
    })
  }
  refuse(
    {'--any-base': wish['any-base'], '--base': wish.base, '--partial': wish.partial},
    'a model is exported as it is',
  )
  const {directory, name, tokenizer} = await findModelAndTokenizer(wish.path, wish, reporter)
  const options = {dtype: dtype ?? 'f16', model: directory, name: path.basename(path.resolve(name)), out, tokenizer}
  return withProgress(reporter, out, (report) => exportGguf({...options, report}))
}

/** Flags that would do nothing. */
function refuse(flags: Readonly<Record<string, unknown>>, why: string): void {
  const given = Object.keys(flags).filter((flag) => flags[flag])
  if (given.length > 0) throw new UsageError(`${given.join(', ')}: ${why}.`, {hint: `Leave ${given.join(', ')} out.`})
}

async function withProgress<Report>(
  reporter: Reporter,
  out: string,
  work: (report: (done: number, total: number) => void) => Promise<Report>,
): Promise<Report> {
  const bars: Bar[] = []
  try {
    return await work((done, total) => {
      if (bars.length === 0) bars.push(reporter.bar(total, `writing ${out}, tensors`))
      bars[0].update({done})
    })
  } finally {
    for (const bar of bars) bar.stop()
  }
}
