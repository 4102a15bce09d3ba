/** `mambatune export --format peft`: adapter_config.json and adapter_model.safetensors, which Hugging Face PEFT loads. */
import {openModelDirectory} from '../checkpoint/model-directory.js'
import {FileError} from '../errors.js'
import {type MambaConfig} from '../model/config.js'
import {configOf} from '../model/model-files.js'
import {type ExportBase, type ExportFormat} from './export-format.js'
import {heldByPeft, leftOutOfPeft, veraHeldByPeft} from './peft-limits.js'
import {needsTies} from './peft-tables.js'
import {type SavedAdapter} from './saved-adapter.js'
import {toPeft} from './to-peft.js'

export const exportPeft: ExportFormat = {
  async content(saved, base) {
    const {config, tensors} = toPeft(base === undefined ? saved : onBase(saved, base.name), await sizesFor(saved, base))
    return {
      metadata: {format: 'pt'},
      tensorFile: 'adapter_model.safetensors',
      tensors,
      text: `${JSON.stringify(config, null, 2)}\n`,
      textFile: 'adapter_config.json',
    }
  },
  instead:
    'Merge holds every low-rank update (mambatune merge ADAPTER --base MODEL --out DIR), --format state the initial states.',
  split: (saved) => ({
    holdsAny: heldByPeft(saved).length > 0 || veraHeldByPeft(saved) !== null,
    leftOut: leftOutOfPeft(saved),
  }),
}

function onBase(saved: SavedAdapter, path: string): SavedAdapter {
  return {...saved, base: {...saved.base, path}}
}

/** Sizes of the base model; null where they are not needed: only it knows how large the module around a slice is. */
async function sizesFor(saved: SavedAdapter, base: ExportBase | undefined): Promise<MambaConfig | null> {
  if (base !== undefined) return configOf(await openModelDirectory(base.directory))
  const updates = heldByPeft(saved)
  if (veraHeldByPeft(saved) === null && updates.every(({slice}) => slice === null) && !needsTies(updates)) return null
  try {
    return configOf(await openModelDirectory(saved.base.path))
  } catch (error) {
    if (!(error instanceof FileError)) throw error
    throw new FileError(
      'Slices of projections, the embedding and VeRA need the config of the base model, and it cannot be opened.',
      {
        cause: error,
        faults: [{message: error.message, where: saved.base.path}, ...error.faults],
        hint: 'Say where the model is with --base MODEL.',
      },
    )
  }
}
