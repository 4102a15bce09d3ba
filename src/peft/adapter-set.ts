/**
 * The adapters of one run, attached together: their trained variables on the device and the sites they form around a
 * model. Variables are named `adapters.<index>.<name of the method's parameter>`; that is also their name in files.
 */
import type * as tf from '@tensorflow/tfjs-core'
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
}

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
  /** Exactly what is trained and saved, in a fixed order. */
  readonly variables: ReadonlyMap<string, tf.Variable>

  private constructor(
    private readonly config: MambaConfig,
    private readonly entries: readonly Entry[],
    private readonly arena: ParameterArena,
  ) {
    this.variables = new Map(
      entries.flatMap(({parameters}, index) =>
        [...parameters].map(([name, variable]) => [fullName(index, name), variable] as const),
      ),
    )
  }

  /** Fresh adapters. Each tensor has a random stream of its own, so that adding one does not change the others. */
  static create(settings: readonly AdapterSettings[], config: MambaConfig, seed: number): AdapterSet {
    return AdapterSet.build(settings, config, (name, spec) => spec.initial(new RandomStream(seed, 'adapter', name)))
  }

  /** Adapters with these values. Errors: MismatchError when names or shapes are not those of the settings. */
  static restore(
    settings: readonly AdapterSettings[],
    config: MambaConfig,
    values: ReadonlyMap<string, ParameterValues>,
  ): AdapterSet {
    checkValues(parameterSpecs(settings, config), values)
    return AdapterSet.build(settings, config, (name) => (values.get(name) as ParameterValues).values)
  }

  private static build(
    settings: readonly AdapterSettings[],
    config: MambaConfig,
    valuesOf: (name: string, spec: ParameterSpec) => Float32Array,
  ): AdapterSet {
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
      return {parameters, settings: entry}
    })
    return new AdapterSet(config, entries, arena)
  }

  get settings(): readonly AdapterSettings[] {
    return this.entries.map(({settings}) => settings)
  }

  /** Trained numbers in all. */
  get size(): number {
    return [...this.variables.values()].reduce((sum, {size}) => sum + size, 0)
  }

  /** The model's sites with all adapters around them. `dropout` is the source of masks while training; `begins`: see Attachment. */
  sites(weights: Weights, dropout: RandomStream | null = null, begins: tf.Tensor1D | null = null): Sites {
    return this.entries.reduce(
      (sites, {parameters, settings}) =>
        methodOf(settings).wrap(settings, {begins, config: this.config, dropout, parameters}, sites),
      baseSites(weights, this.replaced()),
    )
  }

  private replaced(): ReadonlyMap<string, tf.Tensor> {
    const all = this.entries.map(({parameters, settings}) => methodOf(settings).replaces?.(settings, parameters))
    return new Map(all.flatMap((own) => [...(own ?? [])]))
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
    this.arena.dispose()
  }
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
