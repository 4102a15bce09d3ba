import {describe, expect, test} from '@jest/globals'
import {runCommand} from '../cli/run-command.js'
import {describeGpu} from '../support/gpu.js'
import {jsonOf} from '../support/runs.js'

/** A machine on which no driver answers. */
const NO_GPU = {VK_DRIVER_FILES: 'there-is-no-such-driver.json'}

/** Kernels that a processor that plays GPU compiles quickly. */
const QUICK = ['rms norm', 'AdamW', 'split', 'functions'].flatMap((name) => ['--kernel', name])

describeGpu('doctor', () => {
  test('says what there is, what auto takes, and what the GPU can do', async () => {
    const {code, stdout} = await runCommand(['doctor'])
    expect(code).toBe(0)
    expect(stdout).toMatch(/^mambatune {3}\d+\.\d+\.\d+ · Node \d+\.\d+\.\d+ · \w+ \w+$/m)
    expect(stdout).toMatch(/^auto takes {2}(gpu|cpu), /m)
    expect(stdout).toMatch(/^gpu +yes +\S/m)
    expect(stdout).toMatch(/^cpu +yes +WebAssembly, \d+ threads?$/m)
    expect(stdout).toMatch(/^tensorflow +(yes|no) +\S/m)
    expect(stdout).toMatch(/^matrix units +(yes|no: large matrix products take several times as long)$/m)
    expect(stdout).toMatch(/^subgroups +(\d+ lanes|no: .+|size varies: .+)$/m)
    expect(stdout).toMatch(/^workgroup memory +\d+ KiB/m)
  })

  test('prints one object with --json', async () => {
    const report = jsonOf(await runCommand(['doctor', '--json']))
    expect(report).toMatchObject({checks: null, gpu: {name: expect.any(String)}, gpu_problem: null})
    expect(report.auto).toMatchObject({name: expect.stringMatching(/^[cg]pu$/)})
  })

  test('checks kernels on the GPU with --deep, each in several versions', async () => {
    const {code, stderr, stdout} = await runCommand(['doctor', '--deep', ...QUICK])
    expect({code, errors: stderr.includes('✖')}).toEqual({code: 0, errors: false})
    expect(stdout.match(/^KERNEL +SIZES +VALUE +GRADIENT$/gm)?.length).toBeGreaterThanOrEqual(4)
    expect(stdout).toMatch(/^add and rms norm +M 131, d 256 +[\de.-]+ +[\de.-]+ +ok$/m)
    expect(stdout).toMatch(/^AdamW +16 × 40, 7, 33 × 5 +[\de.-]+ +ok$/m)
    expect(stdout).toMatch(/^All \d+ checks passed/m)
    expect(stdout).not.toContain('FAIL')
  })

  test('leaves with 2 for a kernel that there is not', async () => {
    const result = await runCommand(['doctor', '--deep', '--kernel', 'nothing', '--json'])
    expect(jsonOf(result, 2)).toMatchObject({error: {hint: expect.stringContaining('selective scan')}})
  })
})

describe('doctor without a GPU', () => {
  test('says what to install, and leaves with 0', async () => {
    const {code, stdout} = await runCommand(['doctor'], {env: NO_GPU})
    expect(code).toBe(0)
    expect(stdout).toMatch(/^auto takes {2}cpu, \d+ threads?\n {12}no GPU answers$/m)
    expect(stdout).toMatch(/^gpu +no +no driver answers$/m)
    expect(stdout).toMatch(/^For a GPU install\n {2}\S/m)
  })

  test('leaves with 5 when kernels are to be checked', async () => {
    expect(jsonOf(await runCommand(['doctor', '--deep', '--json'], {env: NO_GPU}), 5)).toMatchObject({
      error: {code: 'E_DEVICE', message: expect.stringContaining('nothing to check')},
    })
  })
})
