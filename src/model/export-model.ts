/** A model directory → another in the layout of Hugging Face or of Mamba's authors, as safetensors, whole or not at all. */
import {readdir} from 'node:fs/promises'
import {openModelDirectory} from '../checkpoint/model-directory.js'
import {writeModel} from '../checkpoint/model-write.js'
import {type Layout} from '../checkpoint/original-layout.js'
import {writeDirectory} from '../checkpoint/output-directory.js'
import {readTensorBytes} from '../checkpoint/safetensors.js'
import {checkTensors, configOf} from './model-files.js'

export interface ExportModelOptions {
  readonly model: string
  readonly layout: Layout
  readonly out: string
}

export interface ModelExportReport {
  readonly format: 'safetensors'
  readonly layout: Layout
  readonly out: string
  /** Names in `out` */
  readonly files: readonly string[]
  readonly tensors: number
}

/** No number changes. Errors: FileError for damaged files, and for models that the layout cannot hold; then nothing is written. */
export async function exportModel({layout, model, out}: ExportModelOptions): Promise<ModelExportReport> {
  const files = await openModelDirectory(model)
  checkTensors(files, configOf(files))
  let names: readonly string[] = []
  await writeDirectory(out, async (into) => {
    await writeModel({bytesOf: readTensorBytes, dtypeOf: ({dtype}) => dtype, files, into, layout})
    names = (await readdir(into)).sort()
  })
  return {files: names, format: 'safetensors', layout, out, tensors: files.tensors.size}
}
