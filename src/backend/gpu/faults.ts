/**
 * What goes wrong on the GPU. Dawn tells of it later and elsewhere than where it happened, so the first fault is kept and
 * thrown at the next wait for the device; what was computed after it is worth nothing.
 */
import {DeviceError, type MambatuneError, MemoryError} from '../../errors.js'

const SCOPES = ['validation', 'out-of-memory', 'internal'] as const

export class Faults {
  private first: MambatuneError | null = null
  /** Of work that nothing watched: mostly a consequence of what something did */
  private loose: MambatuneError | null = null
  private readonly pending = new Set<Promise<void>>()
  private closing = false

  /** @param describeMemory one line: what the GPU's memory holds */
  constructor(
    private readonly device: GPUDevice,
    private readonly describeMemory: () => string,
  ) {
    void device.lost.then(({message, reason}) => {
      if (this.closing && reason === 'destroyed') return
      this.keep(
        new DeviceError(`The GPU was lost: ${firstLine(message) || reason}.`, {
          hint: 'If it happens again, lower train.batch_size or use --device cpu.',
        }),
      )
    })
    device.onuncapturederror = (event) => {
      event.preventDefault() // Dawn would print it
      this.loose ??= this.typed('running a kernel', event.error)
    }
  }

  /** Runs GPU calls; an error of theirs will be thrown by `raise`, under the name `what`. */
  watch<Result>(what: string, work: () => Result): Result {
    for (const scope of SCOPES) this.device.pushErrorScope(scope)
    try {
      return work()
    } finally {
      SCOPES.forEach(() => {
        const answer = this.device.popErrorScope().then(
          (error) => {
            if (error) this.keep(this.typed(what, error))
          },
          () => {}, // the device is gone, which `lost` reports
        )
        this.pending.add(answer)
        void answer.then(() => this.pending.delete(answer))
      })
    }
  }

  /** An answer is due. */
  get isPending(): boolean {
    return this.pending.size > 0 || this.first !== null || this.loose !== null
  }

  /** Waits for answers that are due, then throws the first fault, if any. */
  async raise(): Promise<void> {
    if (this.pending.size > 0) await Promise.all(this.pending)
    const fault = this.first ?? this.loose
    if (fault) throw fault
  }

  /** Forgets that memory ran out: for whoever wants to read what was computed before. Other faults stay. */
  forgetMemory(): void {
    if (this.first instanceof MemoryError) this.first = this.loose = null
  }

  /** From now on, losing the device is no fault. */
  close(): void {
    this.closing = true
  }

  private keep(fault: MambatuneError): void {
    this.first ??= fault
  }

  private typed(what: string, error: GPUError): MambatuneError {
    if (error.constructor.name === 'GPUOutOfMemoryError' || /out of memory|OUT_OF_DEVICE_MEMORY/i.test(error.message)) {
      return new MemoryError(`The GPU has too little memory: it ran out ${what}. ${this.describeMemory()}`, {
        hint: 'Lower train.batch_size or data.max_length, or set train.checkpointing: block. mambatune plan RECIPE shows what takes how much.',
      })
    }
    return new DeviceError(`The GPU refused ${what}.`, {
      faults: [{message: error.message.trim(), where: 'webgpu'}],
      hint: 'Please report this, with the output of: mambatune doctor --deep',
    })
  }
}

function firstLine(message: string): string {
  return message.split('\n')[0].replace(/\.$/, '')
}
