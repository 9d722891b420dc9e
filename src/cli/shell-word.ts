/** @file Texts as words of a shell. */

/** In quotes, as bash, zsh and any POSIX shell read it back. */
export function shellWord(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
