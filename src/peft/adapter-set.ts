/**
 * The adapters of one run, attached together: their tensors on the device, trained and frozen, and the sites they form
 * around a model. Tensors are named `adapters.<index>.<name of the method's parameter>`; that is also their name in files.
 */
import * as tf from '@tensorflow/tfjs-core'
import {RandomStream} from '../data/random.js'
import {type Fault, MismatchError, RecipeError} from '../errors.js'
import {type MambaConfig} from '../model/config.js'
import {type LanguageModel} from '../model/language-model.js'
import {baseSites, type Sites} from '../model/sites.js'
import {type Weights} from '../model/weights.js'
import {ParameterArena} from '../ops/adamw/parameter-arena.js'
import {unrecorded} from '../ops/tape.js'
import {type Attachment, type ParameterRates, type ParameterSpec, type ParameterValues} from './method.js'
import {phaseEndOf} from './phases.js'
import {type AdapterSettings, methodOf} from './registry.js'

interface Entry {
  readonly settings: AdapterSettings
  /** Trained and frozen, in the order of the method */
  readonly parameters: ReadonlyMap<string, tf.Tensor>
}

/** A tensor's values before it is on the device. */
interface FirstTensor {
  readonly name: string
  readonly spec: ParameterSpec
  readonly values: Float32Array
}

/** What is on the device, as long as no entry's parameters become others. */
interface Attached {
  readonly entries: readonly Entry[]
  readonly arena: ParameterArena
  readonly specs: ReadonlyMap<string, ParameterSpec>
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
  /** What follows from tensors that do not change, by the index of the entry and the method's name for it */
  private readonly derived = new Map<string, tf.Tensor>()

  private constructor(
    private readonly config: MambaConfig,
    private attached: Attached,
  ) {}

  /**
   * Fresh adapters. Each tensor has a random stream of its own, so that adding one does not change the others. Only for
   * methods whose first values do not depend on the base; `createFor` is for all.
   */
  static create(settings: readonly AdapterSettings[], config: MambaConfig, seed: number): AdapterSet {
    return new AdapterSet(config, attach(settings, config, fresh(seed)))
  }

  /** Fresh adapters of any method, for this model. Waits for the device. */
  static async createFor(
    settings: readonly AdapterSettings[],
    {config, weights}: LanguageModel,
    seed: number,
  ): Promise<AdapterSet> {
    const first = new Map<string, Float32Array>()
    for (const [name, spec] of parameterSpecs(settings, config)) {
      first.set(name, await spec.initial(new RandomStream(seed, 'adapter', name), weights))
    }
    return new AdapterSet(
      config,
      attach(settings, config, (name) => first.get(name) as Float32Array),
    )
  }

  /** Adapters with these values. Errors: MismatchError when names or shapes are not those of the settings. */
  static restore(
    settings: readonly AdapterSettings[],
    config: MambaConfig,
    values: ReadonlyMap<string, ParameterValues>,
  ): AdapterSet {
    checkValues(parameterSpecs(settings, config), values)
    return new AdapterSet(config, attach(settings, config, restored(values)))
  }

  /** Exactly what is trained, in a fixed order. */
  get variables(): ReadonlyMap<string, tf.Variable> {
    return this.attached.variables
  }

  /** Where a trained tensor's optimizer differs from the run's, by its name */
  get rates(): ReadonlyMap<string, EntryRates> {
    const {entries, specs, variables} = this.attached
    const ownOf = (name: string): number | null => entries[Number(name.split('.')[1])].settings.learning_rate ?? null
    return new Map([...variables.keys()].map((name) => [name, {...specs.get(name)?.rates, own: ownOf(name)}]))
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
    const [first, before] = [fresh(seed), restored(values)]
    this.attached = attach(settings, this.config, (name, spec) =>
      changed.has(Number(name.split('.')[1])) ? first(name, spec) : before(name, spec),
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

  /** The model's sites with all adapters around them. `dropout` is the source of masks while training; `begins`: see Attachment. */
  sites(weights: Weights, dropout: RandomStream | null = null, begins: tf.Tensor1D | null = null): Sites {
    return this.around(weights, {begins, dropout}, false)
  }

  /** The same for values that no longer change, as while generating: what follows from them is kept until dispose. */
  settledSites(weights: Weights): Sites {
    return this.around(weights, {begins: null, dropout: null}, true)
  }

  private around(weights: Weights, of: Pick<Attachment, 'begins' | 'dropout'>, isSettled: boolean): Sites {
    return this.attached.entries.reduce(
      (sites, {parameters, settings}, index) => {
        const kept: Attachment['kept'] = (name, make) => this.derive(fullName(index, name), make)
        const settled: Attachment['settled'] = isSettled ? kept : (_name, make) => make()
        const attachment = {...of, config: this.config, kept, parameters, settled, weights}
        return methodOf(settings).wrap(settings, attachment, sites)
      },
      baseSites(weights, this.replaced()),
    )
  }

  private replaced(): ReadonlyMap<string, tf.Tensor> {
    const all = this.attached.entries.map(({parameters, settings}) =>
      methodOf(settings).replaces?.(settings, parameters),
    )
    return new Map(all.flatMap((own) => [...(own ?? [])]))
  }

  private derive<T extends tf.Tensor>(key: string, make: () => T): T {
    const known = (this.derived.get(key) as T | undefined) ?? unrecorded(() => tf.keep(make()))
    this.derived.set(key, known)
    return known
  }

  /** The present values, for saving: trained ones, and frozen ones that are saved. Waits for the device. */
  async values(): Promise<ReadonlyMap<string, ParameterValues>> {
    const saved = this.tensors().filter(([name]) => this.attached.specs.get(name)?.frozen !== 'remade')
    const entries = saved.map(async ([name, tensor]) => {
      const values = (await tensor.data<'float32'>()).slice()
      return [name, {shape: tensor.shape, values}] as const
    })
    return new Map(await Promise.all(entries))
  }

  dispose(): void {
    this.attached.arena.dispose()
    const frozen = this.tensors().flatMap(([, tensor]) => (tensor instanceof tf.Variable ? [] : [tensor]))
    tf.dispose([...frozen, ...this.derived.values()])
    this.derived.clear()
  }

  private tensors(): (readonly [string, tf.Tensor])[] {
    return this.attached.entries.flatMap(({parameters}, index) =>
      [...parameters].map(([name, tensor]) => [fullName(index, name), tensor] as const),
    )
  }
}

/** First values that ask for nothing but random numbers. */
function fresh(seed: number): ValuesOf {
  return (name, spec) => {
    const values = spec.initial(new RandomStream(seed, 'adapter', name), null)
    if (values instanceof Float32Array) return values
    throw new Error(`The first values of ${name} have to be waited for.`)
  }
}

/** These values, and for tensors that are not saved their first ones. */
function restored(values: ReadonlyMap<string, ParameterValues>): ValuesOf {
  const first = fresh(0)
  return (name, spec) => (spec.frozen === 'remade' ? first(name, spec) : (values.get(name) as ParameterValues).values)
}

function attach(settings: readonly AdapterSettings[], config: MambaConfig, valuesOf: ValuesOf): Attached {
  const specs = parameterSpecs(settings, config) // reports the faults of all entries before anything is made
  const named = settings.map((entry, index) =>
    [...methodOf(entry).parameters(entry, config)].map(([name, spec]): FirstTensor => ({
      name,
      spec,
      values: valuesOf(fullName(index, name), spec),
    })),
  )
  const trained = named.flat().filter(({spec}) => !spec.frozen)
  const arena = ParameterArena.create(trained.map(({spec, values}) => ({shape: spec.shape, values})))
  const variables = arena.variables.values()
  // `variables` goes on from entry to entry.
  const tensorOf = ({spec: {frozen, shape}, values}: FirstTensor): tf.Tensor =>
    frozen ? tf.keep(tf.tensor(values, [...shape])) : (variables.next().value as tf.Variable)
  const entries = settings.map((entry, index): Entry => {
    return {parameters: new Map(named[index].map((first) => [first.name, tensorOf(first)])), settings: entry}
  })
  const all = entries.flatMap(({parameters}, index) =>
    [...parameters].map(([name, tensor]) => [fullName(index, name), tensor] as const),
  )
  const own = all.filter((item): item is readonly [string, tf.Variable] => item[1] instanceof tf.Variable)
  return {arena, entries, specs, variables: new Map(own)}
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

/** Factors of a trained tensor, and the learning rate of its entry where that has one. */
export interface EntryRates extends ParameterRates {
  readonly own: number | null
}

/** Errors: MismatchError with every tensor that is missing, surplus or of another shape. */
export function checkValues(
  specs: ReadonlyMap<string, ParameterSpec>,
  values: ReadonlyMap<string, ParameterValues>,
): void {
  const faults: Fault[] = []
  for (const [name, {frozen, shape}] of specs) {
    if (frozen === 'remade') continue
    const found = values.get(name)
    if (!found) faults.push({message: `is missing; expected shape [${shape.join(', ')}]`, where: name})
    else if (found.shape.join() !== shape.join()) {
      faults.push({message: `has shape [${found.shape.join(', ')}], expected [${shape.join(', ')}]`, where: name})
    }
  }
  for (const name of values.keys()) {
    if (!specs.has(name) || specs.get(name)?.frozen === 'remade') {
      faults.push({message: 'is not a tensor of these adapters', where: name})
    }
  }
  if (faults.length > 0) {
    throw new MismatchError('The adapter does not fit this model.', {
      faults,
      hint: 'Use the base model that the adapter was trained on: mambatune inspect ADAPTER names it.',
    })
  }
}
