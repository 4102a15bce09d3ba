import {beforeAll, describe, expect, test} from '@jest/globals'
import * as tf from '@tensorflow/tfjs-core'
import {selectiveScan} from '../../src/ops/selective-scan/selective-scan.js'
import {selectiveScanReference} from '../../src/ops/selective-scan/selective-scan.reference.js'
import {useBackend} from '../support/device.js'
import {difference} from '../support/close.js'

beforeAll(() => useBackend('wasm'))
describe('x', () => {
  test('y', async () => {
    const [B,L,E,N]=[2,130,11,5]
    const mk=(s:number[],k=1)=>tf.randomNormal(s,0,k)
    const ins=[mk([B,L,E]),mk([B,L,E]),tf.neg(tf.exp(mk([E,N],0.5))),mk([B,L,N]),mk([B,L,N]),mk([E]),mk([B,L,E]),mk([B,E,N])]
    const f=(op:any)=>(u:any,delta:any,a:any,b:any,c:any,d:any,z:any,h0:any)=>op({u,delta,a,b,c,d,z,h0})
    const v1=f(selectiveScan)(...ins as [any,any,any,any,any,any,any,any])
    const v2=f(selectiveScanReference)(...ins as [any,any,any,any,any,any,any,any])
    console.log(difference(v1.y.dataSync(),v2.y.dataSync()),difference(v1.last.dataSync(),v2.last.dataSync()))
    const w=mk([B,L,E]), w2=mk([B,E,N])
    const g=(op:any)=>tf.grads((...x:any[])=>{const o=f(op)(...x as [any,any,any,any,any,any,any,any]); return tf.add(tf.sum(tf.mul(o.y,w)),tf.sum(tf.mul(o.last,w2)))})(ins)
    await useBackend('cpu'); const e=g(selectiveScanReference).map((t:any)=>t.dataSync()); await useBackend('wasm')
    const a=g(selectiveScan)
    a.forEach((t:any,i:number)=>console.log(i,difference(t.dataSync(),e[i])))
    expect(1).toBe(1)
  })
})
