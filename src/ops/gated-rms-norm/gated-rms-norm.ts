import {gatedRmsNormReference} from './gated-rms-norm.reference.js'
export const gatedRmsNorm = gatedRmsNormReference
