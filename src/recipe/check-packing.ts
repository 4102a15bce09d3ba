/** Whether packed rows can be computed on this device: the GPU's SSD scan has no versions that begin anew within a row. */
import {type Device} from '../backend/devices.js'
import {RecipeError} from '../errors.js'
import {type MambaConfig} from '../model/config.js'
import {type Recipe} from './schema.js'

/** Errors: RecipeError. */
export function checkPacking({data}: Recipe, {architecture}: MambaConfig, {name}: Pick<Device, 'name'>): void {
  if (!data.packing || architecture !== 'mamba2' || name !== 'gpu') return
  throw new RecipeError(
    'Rows of Mamba-2 cannot be packed on the GPU: its scan there works in chunks that cross their borders.',
    {
      faults: [{message: 'is true', where: 'data.packing'}],
      hint: 'Use --set data.packing=false, which changes no result, or --device cpu.',
    },
  )
}
