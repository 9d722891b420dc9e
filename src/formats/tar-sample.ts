/**
 * @file Members of a tar as training samples (docs/nextstep-spec.md 5): plain WebDataset (`key.jpg`, `key.txt`) and
 * the interleaved kind (`key.json`, `key-0.png`, `key-1.png`).
 */

import type { TarEntry } from "./tar.ts";

/** Files that belong together. */
export interface TarSample {
  /** Folder and base name up to the first dot; without the `-N` of pictures that belong to a `key.json`. */
  readonly key: string;
  readonly json?: TarEntry;
  readonly text?: TarEntry;
  /** By picture number, else in the order of the archive. */
  readonly images: readonly TarEntry[];
  /** Members of other kinds, and second ones of a kind that a sample has once. */
  readonly others: readonly TarEntry[];
}

const IMAGE_EXTENSIONS: ReadonlySet<string> = new Set(["jpg", "jpeg", "jfif", "png", "webp"]);

/** Consecutive members of one key. */
interface Group {
  readonly key: string;
  readonly entries: TarEntry[];
}

function splitName(name: string): { key: string; extension: string } | undefined {
  const base = name.lastIndexOf("/") + 1;
  const dot = name.indexOf(".", base);
  // Dot files and names without extension are not part of a sample.
  if (dot <= base) return undefined;
  return { key: name.slice(0, dot), extension: name.slice(name.lastIndexOf(".") + 1).toLowerCase() };
}

function groupByKey(entries: readonly TarEntry[]): Group[] {
  const groups: Group[] = [];
  for (const entry of entries) {
    const key = splitName(entry.name)?.key;
    if (key === undefined) continue;
    const last = groups.at(-1);
    if (last?.key === key) last.entries.push(entry);
    else groups.push({ key, entries: [entry] });
  }
  return groups;
}

/** `abc-12` holding pictures only, as picture 12 of sample `abc`; undefined if it is a sample of its own. */
function asNumberedPictures(group: Group): { key: string; index: number } | undefined {
  const match = /^(.*[^/])-(\d{1,6})$/s.exec(group.key);
  if (match === null || !group.entries.every((entry) => isImage(entry))) return undefined;
  return { key: match[1]!, index: Number(match[2]) };
}

function isImage(entry: TarEntry): boolean {
  const extension = splitName(entry.name)?.extension;
  return extension !== undefined && IMAGE_EXTENSIONS.has(extension);
}

/**
 * Samples in the order of the archive. Numbered pictures join a neighbouring group of their key (before or after
 * it: sorted archives put `key-0.png` first) if it has a json or text; otherwise each is a sample of its own.
 */
export function groupTarSamples(entries: readonly TarEntry[]): TarSample[] {
  const groups = groupByKey(entries);
  const samples: TarSample[] = [];
  let next = 0;
  while (next < groups.length) {
    const numbered: { index: number; entry: TarEntry }[] = [];
    const takeNumbered = (key: string, from: number): number => {
      let at = from;
      for (; at < groups.length; at++) {
        const pictures = asNumberedPictures(groups[at]!);
        if (pictures?.key !== key) break;
        for (const entry of groups[at]!.entries) numbered.push({ index: pictures.index, entry });
      }
      return at;
    };
    const first = groups[next]!;
    const owner = asNumberedPictures(first)?.key;
    const afterLeading = owner === undefined ? next : takeNumbered(owner, next);
    const main = groups[afterLeading];
    if (main !== undefined && (owner ?? main.key) === main.key && hasDescription(main)) {
      next = takeNumbered(main.key, afterLeading + 1);
      numbered.sort((a, b) => a.index - b.index);
      samples.push(
        toSample(
          main,
          numbered.map((picture) => picture.entry),
        ),
      );
    } else {
      // Nothing to join: the whole run at once, lest a long run be walked again for each of its pictures.
      const end = Math.max(afterLeading, next + 1);
      for (; next < end; next++) samples.push(toSample(groups[next]!, []));
    }
  }
  return samples;
}

function hasDescription(group: Group): boolean {
  return group.entries.some((entry) => /\.(json|txt)$/i.test(entry.name));
}

function toSample(group: Group, numbered: readonly TarEntry[]): TarSample {
  let json: TarEntry | undefined;
  let text: TarEntry | undefined;
  const images: TarEntry[] = [];
  const others: TarEntry[] = [];
  for (const entry of group.entries) {
    const extension = splitName(entry.name)?.extension;
    if (isImage(entry)) images.push(entry);
    else if (extension === "json" && json === undefined) json = entry;
    else if (extension === "txt" && text === undefined) text = entry;
    else others.push(entry);
  }
  images.push(...numbered);
  return {
    key: group.key,
    ...(json === undefined ? {} : { json }),
    ...(text === undefined ? {} : { text }),
    images,
    others,
  };
}

/** Whether a sample holds anything that training reads. */
export function isTrainable({ json, text, images }: TarSample): boolean {
  return json !== undefined || text !== undefined || images.length > 0;
}
