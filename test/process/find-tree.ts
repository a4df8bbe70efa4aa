/** Finds the living processes of some commands. Signals nothing. */
import { TreeScan, type TreeTarget } from '../../src/process/tree-scan.js';

/** @returns their pids, in no order */
export function findTree(targets: readonly TreeTarget[]): number[] {
  return new TreeScan(targets).look().map(({ pid }) => pid);
}
