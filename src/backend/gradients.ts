/** TensorFlow.js's gradients of its own operations. Its core comes without them; see scripts/build-gradients.mjs. */

let registered: Promise<unknown> | undefined

/** Registers them, once. Needed before the first backward pass. */
export async function registerGradients(): Promise<void> {
  registered ??= import(new URL('../../build/tfjs-gradients.mjs', import.meta.url).href)
  await registered
}
