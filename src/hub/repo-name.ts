/** @file Names of repositories, revisions and files on the hub, none of which may lead out of the cache. */
import { InputError } from "../errors.ts";
import { quoted } from "../formats/quoted.ts";

/** A repository at a revision: a branch, a tag or a commit. */
export interface RepoName {
  /** `org/name`, or `name` for the oldest ones. */
  readonly repository: string;
  readonly revision: string;
}

export const DEFAULT_REVISION = "main";

/** As the hub itself has it: letters, digits and `-_.`, neither first nor last a dot or dash. */
const PART = /^[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,94}[A-Za-z0-9_])?$/;
/** Longest name of a file that every system takes. */
const MAX_PART_BYTES = 255;
const MAX_PATH_BYTES = 1024;
/** Names that Windows keeps for devices, with any extension. */
const DEVICE = /^(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)(?:\.|$)/i;
/** What some system or terminal gives a meaning of its own. */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\\:*?"<>|]/u;
const COMMIT = /^[0-9a-f]{40}$/;

/** Whether `text` has the form `[org/]name[@revision]`. */
export function isRepoName(text: string): boolean {
  return parse(text) !== undefined;
}

/**
 * Reads `[org/]name[@revision]`; the revision is `main` unless it is given.
 * @throws InputError for anything else, a web address for one.
 */
export function parseRepoName(text: string): RepoName {
  const found = parse(text);
  if (found !== undefined) return found;
  throw new InputError(`${quoted(text)} is not the name of a repository`, {
    remedy: "give ORG/NAME or ORG/NAME@REVISION, e.g. stepfun-ai/NextStep-1.1",
  });
}

function parse(text: string): RepoName | undefined {
  const at = text.indexOf("@");
  const repository = at < 0 ? text : text.slice(0, at);
  const revision = at < 0 ? DEFAULT_REVISION : text.slice(at + 1);
  const parts = repository.split("/");
  const fits = (part: string): boolean => PART.test(part) && !/--|\.\.|\.git$/.test(part);
  if (parts.length > 2 || !parts.every(fits) || !isSafePath(revision)) return undefined;
  return { repository, revision };
}

/** The name as a person would type it. */
export function formatRepoName({ repository, revision }: RepoName): string {
  return revision === DEFAULT_REVISION ? repository : `${repository}@${revision}`;
}

export function isCommit(text: string): boolean {
  return COMMIT.test(text);
}

/**
 * Whether a relative path with forward slashes can be a file's on every system without leading anywhere else: no empty
 * part, no `.` or `..`, no drive, device, control character or trailing dot.
 */
export function isSafePath(path: string): boolean {
  return (
    Buffer.byteLength(path) <= MAX_PATH_BYTES &&
    path.split("/").every((part) => {
      return (
        part !== "" &&
        Buffer.byteLength(part) <= MAX_PART_BYTES &&
        !/^\.{1,2}$|[. ]$/.test(part) &&
        !UNSAFE.test(part) &&
        !DEVICE.test(part)
      );
    })
  );
}
