/** Everything that the compiled module exports. */
export {causalConvBackward, causalConvForward, causalConvScratch} from './causal-conv'
export {exponentials, mathematicsScratch, softpluses} from './check'
export {crossEntropyBackward, crossEntropyForward, crossEntropyScratch} from './cross-entropy'
export {transposedProduct} from './inner-product'
export {rmsNormBackward, rmsNormForward} from './rms-norm'
export {gatherRows, takeColumns} from './rows'
export {selectiveScanBackward, selectiveScanForward, selectiveScanScratch} from './selective-scan'
