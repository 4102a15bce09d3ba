import {Flags} from '@oclif/core'
import {BaseCommand} from '../cli/base-command.js'
import {interruptSignal} from '../cli/interrupt.js'
import {type Bar} from '../cli/reporter.js'
import {type DoctorReport} from '../report/doctor.js'

export default class Doctor extends BaseCommand {
  static override description =
    'Which devices this machine has, what --device auto takes and why, what the GPU can do and what is slower for want of something, and what to install. ' +
    'With --deep every kernel runs on this GPU, in each version that it can play, and value and gradients are held against device cpu; exit code 7 if one is wrong.'

  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --deep',
    '<%= config.bin %> <%= command.id %> --json',
  ]

  static override flags = {
    deep: Flags.boolean({
      description: 'Check every kernel on this GPU: seconds, or many minutes where the processor plays it.',
    }),
    kernel: Flags.string({
      dependsOn: ['deep'],
      description: 'Check only kernels whose names contain this. May be given several times.',
      helpValue: 'NAME',
      multiple: true,
    }),
  }

  static override summary = 'Say what this machine can compute on, and check its GPU.'

  async run(): Promise<DoctorReport> {
    const {flags} = await this.parse(Doctor)
    const [{doctorText}, {examineMachine}] = await Promise.all([
      import('../cli/doctor-text.js'),
      import('../report/doctor.js'),
    ])
    const progress = await this.progress()
    progress.step('Looking at the devices')
    const report = await examineMachine(process.versions.node)
    progress.stop()
    this.out(doctorText(report))
    return {...report, checks: flags.deep ? await this.checkKernels(flags.kernel ?? ['']) : null}
  }

  private async checkKernels(names: readonly string[]): Promise<DoctorReport['checks']> {
    const [{selfTestText}, {requireAllRight, selfTest, subjectsNamed}] = await Promise.all([
      import('../cli/self-test-text.js'),
      import('../ops/self-test/self-test.js'),
    ])
    const progress = await this.progress()
    const {dispose, signal} = interruptSignal()
    try {
      let bar: Bar | null = null
      const checks = await selfTest({
        report(done, total, kernel) {
          bar ??= progress.bar(total, 'checking kernels')
          bar.update({detail: kernel, done})
        },
        signal,
        subjects: subjectsNamed(names),
      })
      progress.stop()
      this.out(`\n${selfTestText(checks)}`)
      requireAllRight(checks)
      return checks
    } finally {
      dispose()
    }
  }
}
