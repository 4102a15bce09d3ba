// Asks the registry which of the packages in the three lock files have known faults: what `npm audit` does, for all three, and
// with an answer that tells "none" from "could not be asked". Not part of CI: it needs a registry that takes npm's bulk
// requests, and what it says changes without a change here.
// node scripts/audit-dependencies.mjs: exit code 1 if there are faults, 2 if the registry did not answer.
import {execFile} from 'node:child_process'
import {fileURLToPath} from 'node:url'

const FOLDERS = ['.', 'test/llama-cpp', 'test/fuzz-coverage']

function audit(folder) {
  const cwd = fileURLToPath(new URL(`../${folder}`, import.meta.url))
  return new Promise((resolve) => {
    execFile('npm', ['audit', '--json', '--package-lock-only'], {cwd, maxBuffer: 2 ** 26}, (_, stdout) => {
      resolve(JSON.parse(stdout === '' ? '{"message": "npm said nothing"}' : stdout))
    })
  })
}

let code = 0
for (const folder of FOLDERS) {
  const {message, metadata, vulnerabilities} = await audit(folder)
  if (!metadata) {
    console.log(`${folder}: not known: ${message}`)
    code = 2
    continue
  }
  console.log(`${folder}: ${metadata.vulnerabilities.total} of ${metadata.dependencies.total} packages`)
  for (const {name, range, severity, via} of Object.values(vulnerabilities)) {
    const reasons = via.map((reason) => (typeof reason === 'string' ? `through ${reason}` : reason.title))
    console.log(`  ${name} ${range}: ${severity}; ${reasons.join('; ')}`)
    code ||= 1
  }
}
process.exitCode = code
