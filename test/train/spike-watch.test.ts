import {describe, expect, test} from '@jest/globals'
import {RandomStream} from '../../src/data/random.js'
import {type LossStatistics, NO_LOSSES, watchLoss} from '../../src/train/spike-watch.js'

/** Which of the losses are spikes, by their index. */
function spikesOf(losses: readonly number[]): number[] {
  let statistics: LossStatistics = NO_LOSSES
  return losses.flatMap((loss, index) => {
    const {after, isSpike} = watchLoss(statistics, loss)
    statistics = after
    return isSpike ? [index] : []
  })
}

/** Losses that fall from 4 to 1, with noise of this deviation. */
function falling(count: number, deviation: number): number[] {
  const random = new RandomStream(1, 'losses', deviation)
  return Array.from({length: count}, (_, i) => 1 + 3 * Math.exp(-i / 100) + deviation * random.normal())
}

describe('the watch for loss spikes', () => {
  test.each([0, 0.05, 0.3])('is silent over a falling loss with noise of %d', (deviation) => {
    expect(spikesOf(falling(1000, deviation))).toEqual([])
  })

  test('sees a spike, and the next one after it', () => {
    const losses = falling(300, 0.05)
    losses[150] += 3
    losses[154] += 3
    expect(spikesOf(losses)).toEqual([150, 154])
  })

  test('waits for some losses before it judges', () => {
    expect(spikesOf([1, 1, 1, 50, 1, 1])).toEqual([])
  })

  test('needs more than a tenth above losses that hardly vary', () => {
    const even = Array.from({length: 50}, () => 2)
    expect(spikesOf([...even, 2.19])).toEqual([])
    expect(spikesOf([...even, 2.21])).toEqual([50])
  })

  test('has the mean and the variance of its first losses', () => {
    const losses = [1, 2, 4, 7]
    const {count, mean, variance} = losses.reduce((before, loss) => watchLoss(before, loss).after, NO_LOSSES)
    expect({count, mean}).toEqual({count: 4, mean: 3.5})
    expect(variance).toBeCloseTo(5.25, 12)
  })
})
