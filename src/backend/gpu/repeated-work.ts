/**
 * Work that is asked for again and again on other numbers: a training step, a token. Computing what to ask of the GPU takes
 * the processor some four times as long as asking. So the commands are recorded, and when two recordings in a row are
 * equal, the next times they are only repeated. Whatever is not as it was then (a buffer in use elsewhere, a tensor moved)
 * leads back to computing and recording, never to other results.
 */
import type * as tf from '@tensorflow/tfjs-core'
import {type CommandStream, type HostNumbers} from './command-stream.js'
import {Recording} from './recording.js'
import {type Place} from './stored.js'
import {type TensorStore} from './tensor-store.js'

export interface RepeatedWork {
  /** Lives as long as the work may be repeated: the model, the adapters. */
  readonly owner: object
  /** All that decides which commands the work takes, except for what follows */
  readonly key: string
  /** Numbers on the host that the work uploads; nothing else may depend on their values, only on how many there are. */
  readonly slots: readonly HostNumbers[]
  /** Tensors that differ from time to time */
  readonly carried?: readonly tf.Tensor[]
  /** Asked after the work was computed: false if something else went into it that will be different the next time */
  readonly isRepeatable?: () => boolean
}

/** Tensors by name; a name is there for every tensor each time. */
export type NamedResults = Readonly<Record<string, tf.TensorInfo>>

/** A result: where the work leaves it. */
interface Result {
  readonly name: string
  readonly shape: readonly number[]
  readonly dtype: tf.DataType
  readonly place: Place
}

interface Known {
  readonly recording: Recording
  /** null where a result is a tensor that was there before, or not on the GPU */
  readonly results: readonly Result[] | null
  /** Two recordings in a row were equal. */
  readonly isSettled: boolean
}

/** Recordings for one owner: shapes of batches, and the buffers that carried tensors alternate between. */
const KEPT = 32

export class RepeatedSteps {
  private readonly known = new WeakMap<object, Map<string, Known>>()

  constructor(
    private readonly store: TensorStore,
    private readonly stream: CommandStream,
  ) {}

  /** The results of the work, repeated or computed. */
  run(work: RepeatedWork, compute: () => NamedResults): NamedResults {
    if (this.stream.listener) return compute() // a part of other repeated work
    this.store.sums.settle() // of sums that are made by other work, and read in the midst of this
    let ofOwner = this.known.get(work.owner)
    if (!ofOwner) this.known.set(work.owner, (ofOwner = new Map<string, Known>()))
    const carried = (work.carried ?? []).map(({dataId}) => this.store.placeOf(this.store.get(dataId)))
    const key = keyOf(work, carried)
    const known = ofOwner.get(key)
    ofOwner.delete(key) // to come last in the order of use
    if (known?.isSettled && known.results && known.recording.isReady) {
      ofOwner.set(key, known)
      known.recording.repeat(this.stream, work.slots)
      return this.claim(known.results)
    }
    const handedOver = new Set(carried.map(({allocation}) => allocation))
    const recording = new Recording(this.store.pool, work.slots, handedOver)
    const results = this.record(recording, compute)
    if (work.isRepeatable?.() === false) return results
    ofOwner.set(key, {
      isSettled: known?.recording.equals(recording) ?? false,
      recording,
      results: this.placesOf(results, recording),
    })
    for (const oldest of ofOwner.keys()) {
      if (ofOwner.size <= KEPT) break
      ofOwner.delete(oldest)
    }
    return results
  }

  private record(recording: Recording, compute: () => NamedResults): NamedResults {
    this.stream.listener = recording
    try {
      const results = compute()
      this.store.sums.settle()
      return results
    } finally {
      this.stream.listener = null
    }
  }

  private placesOf(results: NamedResults, recording: Recording): Result[] | null {
    const places = Object.entries(results).map(([name, {dataId, dtype, shape}]) => {
      const {host, place} = this.store.get(dataId)
      return place && !host && recording.hasTaken(place.allocation) ? {dtype, name, place, shape} : null
    })
    const all = places.filter((place) => place !== null)
    const buffers = new Set(all.map(({place}) => place.allocation))
    return all.length === places.length && buffers.size === all.length ? all : null
  }

  private claim(results: readonly Result[]): NamedResults {
    return Object.fromEntries(
      results.map(({dtype, name, place, shape}) => {
        this.store.pool.claim(place.allocation)
        return [name, this.store.adopt(shape, dtype, place)]
      }),
    )
  }
}

function keyOf({key, slots}: RepeatedWork, carried: readonly Place[]): string {
  const places = carried.map(
    ({allocation, at, format, slice}) => `${allocation.id}+${at} ${format} ${slice?.offset ?? ''}`,
  )
  return [key, ...slots.map(({length}) => length), ...places].join(' ')
}
