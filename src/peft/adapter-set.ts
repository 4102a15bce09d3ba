/**
 * The adapters of one run, attached together: their trained variables on the device and the sites they form around a
 * model. Variables are named `adapters.<index>.<name of the method's parameter>`; that is also their name in files.
 */
import * as tf from '@tensorflow/tfjs-core'
import {RandomStream} from '../data/random.js'
import {type Fault, MismatchError, RecipeError} from '../errors.js'
import {type MambaConfig} from '../model/config.js'
import {baseSites, type Sites} from '../model/sites.js'
import {type Weights} from '../model/weights.js'
import {ParameterArena} from '../ops/adamw/parameter-arena.js'
import {type ParameterSpec, type ParameterValues} from './method.js'
import {type AdapterSettings, methodOf} from './registry.js'

interface Entry {
  readonly settings: AdapterSettings
  readonly parameters: ReadonlyMap<string, tf.Variable>
  /** What its method derives from the settings; not trained, not saved */
  readonly constants: ReadonlyMap<string, tf.Tensor>
}

/** What is on the device, as long as no entry's parameters become others. */
interface Attached {
  readonly entries: readonly Entry[]
  readonly arena: ParameterArena
  readonly variables: ReadonlyMap<string, tf.Variable>
}

type ValuesOf = (name: string, spec: ParameterSpec) => Float32Array

const fullName = (index: number, name: string): string => `adapters.${index}.${name}`

/** Every parameter of these adapters by its full name. Errors: RecipeError with every target that matches nothing. */
export function parameterSpecs(
  settings: readonly AdapterSettings[],
  config: MambaConfig,
): ReadonlyMap<string, ParameterSpec> {
  const specs = new Map<string, ParameterSpec>()
  const faults: Fault[] = []
  let first: RecipeError | undefined
  for (const [index, entry] of settings.entries()) {
    try {
      for (const [name, spec] of methodOf(entry).parameters(entry, config)) specs.set(fullName(index, name), spec)
    } catch (error) {
      if (!(error instanceof RecipeError)) throw error
      first ??= error
      faults.push(...error.faults.map(({message, where}) => ({message, where: fullName(index, where)})))
    }
  }
  if (first) throw new RecipeError(first.message, {faults, ...(first.hint !== undefined && {hint: first.hint})})
  return specs
}

export class AdapterSet {
  private constructor(
    private readonly config: MambaConfig,
    private attached: Attached,
  ) {}

  /** Fresh adapters. Each tensor has a random stream of its own, so that adding one does not change the others. */
  static create(settings: readonly AdapterSettings[], config: MambaConfig, seed: number): AdapterSet {
    return new AdapterSet(config, attach(settings, config, fresh(seed)))
  }

  /** Adapters with these values. Errors: MismatchError when names or shapes are not those of the settings. */
  static restore(
    settings: readonly AdapterSettings[],
    config: MambaConfig,
    values: ReadonlyMap<string, ParameterValues>,
  ): AdapterSet {
    checkValues(parameterSpecs(settings, config), values)
    return new AdapterSet(
      config,
      attach(settings, config, (name) => (values.get(name) as ParameterValues).values),
    )
  }

  /** Exactly what is trained and saved, in a fixed order. */
  get variables(): ReadonlyMap<string, tf.Variable> {
    return this.attached.variables
  }

  /** Optimizer steps of a run after which an entry's parameters become others; null if none will. */
  get phaseEnd(): number | null {
    return phaseEndOf(this.settings)
  }

  /**
   * Begins the next phase of every entry whose phase ends after so many steps: its parameters start anew, those of the
   * others stay as they are. Gives the methods concerned. Waits for the device.
   */
  async beginPhase(step: number, seed: number): Promise<readonly AdapterSettings['method'][]> {
    const values = await this.values()
    const changed = new Set<number>()
    const settings = this.settings.map((entry, index) => {
      const {phases} = methodOf(entry)
      const end = phases?.end(entry) ?? null
      if (!phases || end === null || end > step) return entry
      changed.add(index)
      return phases.next(entry, this.config, valuesOfEntry(values, index))
    })
    this.dispose()
    const first = fresh(seed)
    this.attached = attach(settings, this.config, (name, spec) =>
      changed.has(Number(name.split('.')[1])) ? first(name, spec) : (values.get(name) as ParameterValues).values,
    )
    return [...changed].map((index) => settings[index].method)
  }

  get settings(): readonly AdapterSettings[] {
    return this.attached.entries.map(({settings}) => settings)
  }

  /** Trained numbers in all. */
  get size(): number {
    return [...this.variables.values()].reduce((sum, {size}) => sum + size, 0)
  }

  /** The model's sites with all adapters around them. `dropout` is the source of masks while training. */
  sites(weights: Weights, dropout: RandomStream | null = null): Sites {
    return this.attached.entries.reduce((sites, {constants, parameters: trained, settings}) => {
      const parameters = constants.size === 0 ? trained : new Map([...constants, ...trained])
      return methodOf(settings).wrap(settings, {config: this.config, dropout, parameters}, sites)
    }, baseSites(weights))
  }

  /** The present values, for saving. Waits for the device. */
  async values(): Promise<ReadonlyMap<string, ParameterValues>> {
    const entries = [...this.variables].map(async ([name, variable]) => {
      const values = (await variable.data<'float32'>()).slice()
      return [name, {shape: variable.shape, values}] as const
    })
    return new Map(await Promise.all(entries))
  }

  dispose(): void {
    this.attached.arena.dispose()
    for (const {constants} of this.attached.entries) tf.dispose([...constants.values()])
  }
}

function fresh(seed: number): ValuesOf {
  return (name, spec) => spec.initial(new RandomStream(seed, 'adapter', name))
}

function attach(settings: readonly AdapterSettings[], config: MambaConfig, valuesOf: ValuesOf): Attached {
  parameterSpecs(settings, config) // reports the faults of all entries before anything is made
  const named = settings.map((entry, index) =>
    [...methodOf(entry).parameters(entry, config)].map(([name, spec]) => ({
      name,
      shape: spec.shape,
      values: valuesOf(fullName(index, name), spec),
    })),
  )
  const arena = ParameterArena.create(named.flat())
  const variables = arena.variables.values()
  const entries = settings.map((entry, index): Entry => {
    // `variables` goes on from entry to entry.
    const parameters = new Map(named[index].map(({name}) => [name, variables.next().value as tf.Variable]))
    return {constants: constantsOf(entry, config), parameters, settings: entry}
  })
  const all = entries.flatMap(({parameters}, index) =>
    [...parameters].map(([name, variable]) => [fullName(index, name), variable] as const),
  )
  return {arena, entries, variables: new Map(all)}
}

function constantsOf(entry: AdapterSettings, config: MambaConfig): Entry['constants'] {
  const constants = methodOf(entry).constants?.(entry, config) ?? new Map<string, ParameterValues>()
  return new Map([...constants].map(([name, {shape, values}]) => [name, tf.keep(tf.tensor(values, [...shape]))]))
}

/** One entry's values by the method's own names. */
export function valuesOfEntry(
  values: ReadonlyMap<string, ParameterValues>,
  index: number,
): ReadonlyMap<string, ParameterValues> {
  const prefix = fullName(index, '')
  return new Map(
    [...values].filter(([name]) => name.startsWith(prefix)).map(([name, value]) => [name.slice(prefix.length), value]),
  )
}

/** A recipe's settings, as far on as the adapters of a saved run are: what those have chosen is not chosen again. */
export function continuedFrom(
  settings: readonly AdapterSettings[],
  reached: readonly AdapterSettings[],
): readonly AdapterSettings[] {
  return settings.map((entry, index) => {
    const earlier = reached.at(index)
    return earlier?.method === entry.method ? (methodOf(entry).phases?.from(entry, earlier) ?? entry) : entry
  })
}

/** Steps after which parameters of the first entry to do so become others; null if none will. */
export function phaseEndOf(settings: readonly AdapterSettings[]): number | null {
  const ends = settings.flatMap((entry) => methodOf(entry).phases?.end(entry) ?? [])
  return ends.length === 0 ? null : Math.min(...ends)
}

/** The last phase of each entry, as far as it is known before training. */
export function lastPhases(settings: readonly AdapterSettings[], config: MambaConfig): readonly AdapterSettings[] {
  return settings.map((entry) => methodOf(entry).phases?.last(entry, config) ?? entry)
}

function checkValues(specs: ReadonlyMap<string, ParameterSpec>, values: ReadonlyMap<string, ParameterValues>): void {
  const faults: Fault[] = []
  for (const [name, {shape}] of specs) {
    const found = values.get(name)
    if (!found) faults.push({message: `is missing; expected shape [${shape.join(', ')}]`, where: name})
    else if (found.shape.join() !== shape.join()) {
      faults.push({message: `has shape [${found.shape.join(', ')}], expected [${shape.join(', ')}]`, where: name})
    }
  }
  for (const name of values.keys()) {
    if (!specs.has(name)) faults.push({message: 'is not a tensor of these adapters', where: name})
  }
  if (faults.length > 0) {
    throw new MismatchError('The adapter does not fit this model.', {
      faults,
      hint: 'Use the base model that the adapter was trained on: mambatune inspect ADAPTER names it.',
    })
  }
}
