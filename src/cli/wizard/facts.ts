/**
 * What is known of the machine and of the files that are named in the answers so far. Everything is found when it is first asked for, and
 * again when an answer that it follows from is another.
 */
import {homedir} from 'node:os'
import {type DeviceChoice} from '../../backend/devices.js'
import {counted} from '../../checkpoint/file-faults.js'
import {hubSettings} from '../../checkpoint/hub/hub-settings.js'
import {readModelConfig} from '../../checkpoint/model-directory.js'
import {findFiles} from '../../data/find-files.js'
import {loadTokenizer, type Tokenizer} from '../../data/tokenizer.js'
import {DataError} from '../../errors.js'
import {type MambaConfig, readMambaConfig} from '../../model/config.js'
import {locateFiles} from '../../recipe/locate-data.js'
import {NO_VALIDATION, type Question} from '../../recipe/new/answers.js'
import {validationShare} from '../../recipe/validation-share.js'
import {type DataInspection, inspectData} from '../../report/inspect-data.js'
import {countParameters} from '../../report/inspect-model.js'
import {type FoundData, findTrainingData} from '../../report/new/find-data.js'
import {findModels, type FoundModel} from '../../report/new/find-models.js'
import {findPlace, type FoundPlace} from '../../report/plan.js'
import {type DataPreview, previewData} from '../../report/preview-data.js'
import {storePlace} from '../locate-data.js'
import {findModelAndTokenizer, onHub} from '../locate-model.js'
import {type Reporter} from '../reporter.js'

export interface FactsOptions {
  readonly device: DeviceChoice
  /** Bytes; null: what there is */
  readonly gpuMemory: number | null
  readonly reporter: Reporter
}

export interface ModelFacts {
  /** On this machine */
  readonly directory: string
  readonly tokenizer: string
  readonly config: MambaConfig
  /** Numbers */
  readonly parameters: number
}

export interface DataFacts {
  readonly files: readonly string[]
  readonly inspection: DataInspection
  readonly tokenizer: Tokenizer | null
}

const AS_FOUND = {columns: {}, container: 'auto', format: 'auto', lossOn: 'auto', template: null} as const

export class Facts {
  readonly answers = new Map<Question, string>()
  private readonly known = new Map<string, {readonly of: string; readonly value: Promise<unknown>}>()

  constructor(readonly options: FactsOptions) {}

  /** The answer, which must have been given. */
  answer(question: Question): string {
    const answer = this.answers.get(question)
    if (answer === undefined) throw new TypeError(`${question} has not been answered`)
    return answer
  }

  /** Where training would go. */
  place(): Promise<FoundPlace> {
    const {device, gpuMemory} = this.options
    return this.once('place', '', () => findPlace(device, {model: {dtype: 'auto'}}, gpuMemory))
  }

  models(): Promise<readonly FoundModel[]> {
    return this.once('models', '', () => findModels('.', hubSettings(process.env, homedir())))
  }

  trainingData(): Promise<readonly FoundData[]> {
    return this.once('training data', '', () => findTrainingData('.'))
  }

  /** Errors: those of finding and reading the model's small files. */
  model(base = this.answer('model')): Promise<ModelFacts> {
    return this.once('model', base, async () => {
      const {directory, tokenizer} = await findModelAndTokenizer(base, {small: true}, this.options.reporter)
      const config = readMambaConfig(await readModelConfig(directory), `${directory}/config.json`)
      return {config, directory, parameters: countParameters(config), tokenizer}
    })
  }

  /** Errors: DataError for rows that cannot be read, faulty ones included. */
  data(path = this.answer('data')): Promise<DataFacts> {
    return this.once('data', `${path} ${this.answer('model')}`, () => this.read(path, 'train'))
  }

  /** The files to validate with; null where there are none, a share of the training rows included. */
  async validation(path = this.answer('validation')): Promise<DataFacts | null> {
    if (path === NO_VALIDATION || validationShare(path) !== null) return null
    return this.once('validation', `${path} ${this.answer('model')}`, () => this.read(path, 'validation'))
  }

  /** The first row, as it will be trained on. */
  async preview(): Promise<DataPreview | null> {
    const {files, tokenizer} = await this.data()
    if (!tokenizer) return null
    return previewData(files, tokenizer, {...AS_FOUND, appendEos: tokenizer.eosId !== null, maxLength: 1024}, 1)
  }

  /** Remembered as long as `of` is the same; a failure is not. */
  once<T>(name: string, of: string, find: () => Promise<T>): Promise<T> {
    const known = this.known.get(name)
    if (known?.of === of) return known.value as Promise<T>
    const value = find()
    this.known.set(name, {of, value})
    value.catch(() => this.known.delete(name))
    return value
  }

  private async read(path: string, role: 'train' | 'validation'): Promise<DataFacts> {
    const {reporter} = this.options
    const {tokenizer: directory} = await this.model()
    reporter.step(`Reading ${path}`)
    try {
      const located = await onHub(reporter, (options) => locateFiles([path], role, options))
      const files = await findFiles(located, role)
      // Rows of token ids need none; for other rows, reading says that it is missing.
      const tokenizer = await loadTokenizer(directory).catch(() => null)
      const inspection = await inspectData(files, tokenizer, AS_FOUND, storePlace())
      if (inspection.faulty_rows > 0) throw faulty(path, inspection)
      if (inspection.format !== 'tokens') await loadTokenizer(directory)
      return {files, inspection, tokenizer}
    } finally {
      reporter.stop()
    }
  }
}

function faulty(path: string, {faults, faulty_rows: count, rows}: DataInspection): DataError {
  return new DataError(
    `${path} has ${counted(count, 'fault')} beside ${counted(rows, 'good row')}, and training takes no faulty one.`,
    {
      faults: faults.slice(0, 5),
      hint: `mambatune data inspect ${path}`,
    },
  )
}
