/** Everything that the compiled module exports. */
export {causalConvBackward, causalConvForward, causalConvScratch} from './causal-conv'
export {crossEntropyBackward, crossEntropyForward, crossEntropyScratch} from './cross-entropy'
export {rmsNormBackward, rmsNormForward} from './rms-norm'
export {selectiveScanBackward, selectiveScanForward, selectiveScanScratch} from './selective-scan'
export {exponentials, mathematicsScratch, softpluses} from './check'
