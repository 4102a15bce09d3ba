/**
 * From which width on a cheap output is computed again in the backward pass instead of being kept. The cost grows with the
 * width, that of the matrix products around it with its square: at 1536 channels it is 3 % of a step, at 5120 1 %; and wide
 * models are those that run out of memory.
 */
export const WIDE = 2048
