/**
 * How the SSD scan is divided: the length into chunks of Q steps, heads and states into blocks, and which way the products of
 * blocks are made.
 *
 * Q = 64 balances two costs of a step and head: Q·P multiplications inside of its chunk, and P·N/Q numbers of states that are
 * written once and read up to five times. With P = 64 and N = 128 the former are a sixth of all multiplications, and the
 * states in f16 (128 numbers a step) twice an activation; Q = 128 would halve that, and results would fill workgroup memory.
 */
import {type DeviceFacts, type Format} from '../../backend/gpu/shader.js'
import {type Area, type Blocks} from './blocks.js'
import {matrixBlocks, UNITS_MULTIPLE, WIDE_MULTIPLE, wideMatrixBlocks} from './matrix-blocks.wgsl.js'
import {plainBlocks} from './plain-blocks.wgsl.js'

/** What the code is made for. */
export interface SsdForm {
  /** H */
  readonly heads: number
  /** G */
  readonly groups: number
  /** P */
  readonly size: number
  /** N */
  readonly states: number
  readonly x: Format
  readonly delta: Format
  readonly b: Format
  readonly c: Format
  /** null where the first state is zero */
  readonly h0: Format | null
  readonly low: number
  readonly high: number
  /** How y and dX are stored */
  readonly stored: 'f16' | 'f32'
  /** Whether what is f16 is read and written eight numbers at a time: blocks have them side by side, and sizes and places are multiples */
  readonly eights: boolean
  /** Rows hold several sequences (ssd-sequences.wgsl.ts). */
  readonly packed?: true
}

export interface SsdPlan {
  readonly blocks: Blocks
  /** Q, steps of a chunk */
  readonly chunk: number
  /** How the states of chunks are stored */
  readonly kept: 'f16' | 'f32'
  /** Heads that a workgroup takes one after another, with the same products of B and C */
  readonly together: number
  /** Rows (of P) and columns (of N) of a block of the state */
  readonly block: Area
  /** Blocks of a state, down and across */
  readonly down: number
  readonly across: number
}

const CHUNK = 64
/** Steps of a chunk where workgroup memory is short */
const SHORT_CHUNK = 32
/** Bytes of workgroup memory that plain blocks take with the long chunk, and matrix units at all */
const LONG_BYTES = 32_768
const UNITS_BYTES = 40_960
const UNITS_SUBGROUP = 32

/** Rows and columns of a block, at most */
export const MOST_BLOCK = 64
export const PLAIN_MULTIPLE = 16

/** More heads share the products of B and C, but fewer workgroups are left: eight of 24 leave 384 at 4 × 2048 steps. */
const MOST_TOGETHER = 8

const known = new WeakMap<DeviceFacts, Map<string, SsdPlan>>()

/** Thought out once for each form, because every launch asks for it. */
export function planSsd(form: Omit<SsdForm, 'eights'>, facts: DeviceFacts): SsdPlan {
  let plans = known.get(facts)
  if (!plans) known.set(facts, (plans = new Map<string, SsdPlan>()))
  const key = [form.heads, form.groups, form.size, form.states, form.stored].join()
  let plan = plans.get(key)
  if (!plan) plans.set(key, (plan = newPlan(form, facts)))
  return plan
}

function newPlan(form: Omit<SsdForm, 'eights'>, facts: DeviceFacts): SsdPlan {
  const {groups, heads, size, states} = form
  const units = usesUnits(form, facts)
  const multiple = units ? UNITS_MULTIPLE : PLAIN_MULTIPLE
  const block = {columns: blockOf(states, multiple), rows: blockOf(size, multiple)}
  const perGroup = heads / groups
  return {
    across: Math.ceil(states / block.columns),
    block,
    blocks: units ? unitsFor(block) : plainBlocks,
    chunk: units || facts.workgroupBytes >= LONG_BYTES ? CHUNK : SHORT_CHUNK,
    down: Math.ceil(size / block.rows),
    kept: units ? 'f16' : 'f32',
    together: [8, 6, 4, 3, 2, 1].find((count) => count <= MOST_TOGETHER && perGroup % count === 0) ?? 1,
  }
}

/** More subgroups hide more of what is waited for, and hold less in registers each. */
const unitsFor = ({columns, rows}: Area): Blocks =>
  columns % WIDE_MULTIPLE === 0 && rows % WIDE_MULTIPLE === 0 ? wideMatrixBlocks : matrixBlocks

function usesUnits({size, states, stored}: Omit<SsdForm, 'eights'>, facts: DeviceFacts): boolean {
  return (
    stored === 'f16' &&
    facts.matrixUnits &&
    facts.subgroupSize === UNITS_SUBGROUP &&
    facts.workgroupBytes >= UNITS_BYTES &&
    size % UNITS_MULTIPLE === 0 &&
    states % UNITS_MULTIPLE === 0
  )
}

const upTo = (size: number, multiple: number): number => Math.ceil(size / multiple) * multiple

/** The largest block that divides the size, if that is a multiple; else sizes are filled up. */
function blockOf(size: number, multiple: number): number {
  const filled = upTo(size, multiple)
  return filled <= MOST_BLOCK || filled % MOST_BLOCK === 0 || multiple === PLAIN_MULTIPLE
    ? Math.min(MOST_BLOCK, filled)
    : multiple
}

export const chunksOf = (length: number, {chunk}: SsdPlan): number => Math.ceil(length / chunk)

/** A number of terms with those that fill up what is staged at once. */
export const termsOf = (count: number): number => upTo(count, PLAIN_MULTIPLE)
