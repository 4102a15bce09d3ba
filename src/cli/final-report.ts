/** The page that a run leaves at its end, unless its recipe wants none. */
import {MambatuneError} from '../errors.js'
import {runFiles} from '../recipe/run-files.js'
import {processes} from './processes.js'
import {type Reporter} from './reporter.js'

/** Gives the file's name. What is wrong is noted: a run that has succeeded does not fail for want of its picture. */
export async function writeFinalReport(run: string, base: string | null, reporter: Reporter): Promise<string | null> {
  const {loadRecipe} = await import('../recipe/load.js')
  const {recipe} = await loadRecipe(runFiles(run).recipe)
  if (!recipe.logging.report) return null
  const step = reporter.step('Writing the report')
  try {
    const {writeReport} = await import('../report/page/write-report.js')
    const {file} = await writeReport({base, processes, run})
    step.done()
    return file
  } catch (error) {
    if (!(error instanceof MambatuneError)) throw error
    step.fail(`The report could not be written: ${error.message} Try: mambatune report ${run}`)
    return null
  }
}
