/** @file Hidden names under which folders are filled beside their places, until they are whole. */

const PARTIAL_NAME = /(^|[\\/])\.([^\\/]+)\.partial-[\da-f]+(?=[\\/]|$)/g;

/** @param id digits or hexadecimal digits that tell one writer from another; without it, how all names of a folder begin. */
export function partialName(name: string, id = ""): string {
  return `.${name}.partial-${id}`;
}

/** The path that one below such a folder will have when the folder is in its place. */
export function finalPath(path: string): string {
  return path.replace(PARTIAL_NAME, "$1$2");
}
