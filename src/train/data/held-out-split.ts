/** @file Which samples are held out of training: by name, and never one of two that share a picture or a text. */

import { createHash } from "node:crypto";

/** What decides about a sample. */
export interface SplitSample {
  readonly name: string;
  readonly contents: readonly string[];
}

/**
 * Names of the samples that are held out, about `share` of all. Samples that share a content, directly or over others,
 * form a group, whose fate is a hash of its first name: other samples that come or go do not change it. Where chance
 * would leave one side empty, the group nearest to the border changes sides.
 * @param share above 0 and below 1
 */
export function heldOutNames(samples: readonly SplitSample[], share: number): ReadonlySet<string> {
  const groups = groupsOf(samples)
    .map((names) => names.sort())
    .map((names) => ({ names, place: placeOf(names[0]!) }))
    .sort((a, b) => a.place - b.place);
  if (groups.length < 2) return new Set();
  const below = groups.filter(({ place }) => place < share).length;
  const heldOut = groups.slice(0, Math.min(Math.max(1, below), groups.length - 1));
  return new Set(heldOut.flatMap(({ names }) => names));
}

/** A number in [0, 1) that looks drawn by chance. */
function placeOf(name: string): number {
  return createHash("sha256").update(`held out:${name}`).digest().readUInt32LE(0) / 2 ** 32;
}

/** Samples joined by their contents: a forest in which every sample points towards its group's root. */
function groupsOf(samples: readonly SplitSample[]): string[][] {
  const parents = samples.map((_, index) => index);
  const rootOf = (index: number): number => {
    let root = index;
    while (parents[root] !== root) {
      parents[root] = parents[parents[root]!]!;
      root = parents[root]!;
    }
    return root;
  };
  const firstWith = new Map<string, number>();
  for (const [index, { contents }] of samples.entries()) {
    for (const content of contents) {
      const first = firstWith.get(content);
      if (first === undefined) firstWith.set(content, index);
      else parents[rootOf(index)] = rootOf(first);
    }
  }
  const groups = new Map<number, string[]>();
  for (const [index, { name }] of samples.entries()) {
    const root = rootOf(index);
    const group = groups.get(root) ?? [];
    group.push(name);
    groups.set(root, group);
  }
  return [...groups.values()];
}
