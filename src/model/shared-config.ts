/** The part of a model's shape that every architecture has. Letters are those of docs/notation.md. */

export interface SharedConfig {
  /** d: width of the residual stream */
  readonly hidden: number
  /** E: channels of the scan */
  readonly inner: number
  /** N: states of a channel */
  readonly states: number
  /** K: width of the convolution */
  readonly convWidth: number
  readonly layers: number
  /** V: rows of the embedding, padding included */
  readonly vocabulary: number
  /** ε of every RMSNorm */
  readonly epsilon: number
  /** The head is the embedding. */
  readonly tied: boolean
  /** in_proj and out_proj have a bias. */
  readonly projectionBias: boolean
  readonly convBias: boolean
}
