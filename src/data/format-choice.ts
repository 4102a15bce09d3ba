/**
 * The one format of a dataset. `auto` takes it from the keys of the first row that can be understood; every other row, and every
 * plain text file, is then held to it. A format that was named in the settings is not argued with: its keys are simply required.
 */
import {columnsHint} from './columns.js'
import {type DataFormat, type RowFormat} from './dataset.js'
import {type FaultList} from './fault-list.js'
import {type JsonObject} from './json-value.js'
import {formatsOf, listKeys} from './row-formats.js'

const EXPECTED =
  'prompt and completion, or text, or input_ids, or messages, or conversations, or instruction and output, or segments'

export type Verdict = 'agrees' | 'disagrees' | 'unclear'

export class FormatChoice {
  private chosen: {readonly format: RowFormat; readonly why: string} | null = null
  private readonly isNamed: boolean

  constructor(
    setting: DataFormat,
    private readonly faults: FaultList,
  ) {
    this.isNamed = setting !== 'auto'
    if (setting !== 'auto') this.chosen = {format: setting, why: `data.format is ${setting}`}
  }

  get format(): RowFormat | null {
    return this.chosen?.format ?? null
  }

  /** The decision and its reason, for the user. */
  notes(): string[] {
    return this.chosen === null ? [] : [`Rows are read as ${this.chosen.format}: ${this.chosen.why}.`]
  }

  judgeRow(row: JsonObject, where: string): Verdict {
    if (this.isNamed) return 'agrees'
    const formats = formatsOf(row)
    if (formats.length === 1) return this.judge(formats[0], `${where} has ${listKeys(row)}`, where)
    const keys = listKeys(row)
    if (formats.length === 0) {
      this.faults.add(where, `has ${keys}; expected ${EXPECTED}`, columnsHint(row))
    } else {
      this.faults.add(where, `could be ${formats.join(' or ')}: it has ${keys}`, `data.format: ${formats[0]}`)
    }

    return 'unclear'
  }

  judgeDocument(file: string): Verdict {
    return this.judge('text', `${file} is plain text`, file)
  }

  private judge(format: RowFormat, why: string, where: string): Verdict {
    this.chosen ??= {format, why}
    if (this.chosen.format === format) return 'agrees'
    const dataset = `${this.chosen.format} (${this.chosen.why})`
    this.faults.add(where, `is ${format}, but the dataset is ${dataset}: one dataset has one format`)
    return 'disagrees'
  }
}
