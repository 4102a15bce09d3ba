/**
 * The safetensors format (https://github.com/huggingface/safetensors), our own implementation: headers are checked
 * completely before anything is allocated, tensors are read and written one at a time. The parts: the header's rules,
 * reading, writing.
 */
export {type SafetensorsHeader, type TensorEntry} from './safetensors-header.js'
export {readSafetensorsHeader, readTensorBytes, readTensorFloat32, readTensorPieces} from './safetensors-read.js'
export {type TensorSource, writeSafetensors} from './safetensors-write.js'
