/** @file Icon packages as they lie in node_modules: finding them, reading their files, who made them. */

import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { z } from "zod";
import { DataFormatError } from "../../../errors.ts";

const iconSchema = z.object({
  body: z.string(),
  hidden: z.boolean().optional(),
  left: z.number().optional(),
  top: z.number().optional(),
  width: z.number().positive().optional(),
  height: z.number().positive().optional(),
});

const aliasSchema = z.object({
  parent: z.string(),
  hidden: z.boolean().optional(),
  hFlip: z.boolean().optional(),
  vFlip: z.boolean().optional(),
  rotate: z.number().optional(),
});

/** icons.json of an Iconify package. */
export const iconsSchema = z.object({
  prefix: z.string(),
  width: z.number().positive().optional(),
  height: z.number().positive().optional(),
  icons: z.record(z.string(), iconSchema),
  aliases: z.record(z.string(), aliasSchema).optional(),
});

/** chars.json of an Iconify package: code points in hex, joined by "-", to slugs. */
export const charsSchema = z.record(z.string(), z.string());

/** metadata.json of an Iconify package: slugs of each category. */
export const metadataSchema = z.object({ categories: z.record(z.string(), z.array(z.string())) });

const infoSchema = z.object({
  name: z.string(),
  author: z.object({ name: z.string(), url: z.string().optional() }),
  license: z.object({ title: z.string(), spdx: z.string(), url: z.string().optional() }),
});

/** package.json of any package. */
export const manifestSchema = z.object({ name: z.string(), version: z.string(), license: z.string() });

/** Who made a set, under which licence, and from which package version it was read. */
export interface EmojiCredit {
  readonly set: string;
  readonly author: string;
  readonly authorUrl: string;
  readonly licence: string;
  readonly licenceTitle: string;
  readonly licenceUrl: string;
  readonly package: string;
  readonly version: string;
}

/** Licences under which a set's pictures may be used for training and shown again with credit. */
const ACCEPTED_LICENCES: ReadonlySet<string> = new Set(["Apache-2.0", "CC-BY-4.0", "MIT"]);

/** @throws DataFormatError for a licence that is not accepted. */
export function checkLicence(licence: string, where: string): void {
  if (ACCEPTED_LICENCES.has(licence)) return;
  throw new DataFormatError(`licence ${licence} is not one of ${[...ACCEPTED_LICENCES].join(", ")}`, {
    where,
    remedy: "install the versions of the icon packages that this package names in its package.json",
  });
}

/** Paths of an installed package's files by their names in it, or undefined when it is not installed. */
export function locatePackage(packageName: string, from: string): ((file: string) => string) | undefined {
  for (const base of [`${from}/package.json`, import.meta.url]) {
    const require = createRequire(base);
    try {
      const manifest = require.resolve(`${packageName}/package.json`);
      return (file) => `${manifest.slice(0, -"package.json".length)}${file}`;
    } catch {
      // Not visible from here; the next place may see it.
    }
  }
  return undefined;
}

/** Who made an Iconify set. @throws DataFormatError as {@link checkLicence} and {@link readPackageJson} do. */
export async function loadCredit(path: (file: string) => string): Promise<EmojiCredit> {
  const info = await readPackageJson(path("info.json"), infoSchema);
  const manifest = await readPackageJson(path("package.json"), manifestSchema);
  checkLicence(info.license.spdx, path("info.json"));
  return {
    set: info.name,
    author: info.author.name,
    authorUrl: info.author.url ?? "",
    licence: info.license.spdx,
    licenceTitle: info.license.title,
    licenceUrl: info.license.url ?? "",
    package: manifest.name,
    version: manifest.version,
  };
}

/** A checked JSON file of a package. @throws DataFormatError when it is missing or of another form. */
export async function readPackageJson<T>(path: string, schema: z.ZodType<T>): Promise<T> {
  try {
    return schema.parse(JSON.parse(await readFile(path, "utf8")));
  } catch (cause) {
    throw new DataFormatError("not a readable file of an icon package", {
      where: path,
      remedy: "reinstall the icon packages",
      cause,
    });
  }
}
