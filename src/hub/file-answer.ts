/** @file Asks for a part of a file, and makes sure that the answer is a part of that file. */
import { DownloadError } from "../errors.ts";
import { type RequestSubject, subjectText } from "./http-failure.ts";
import type { Answer, HubClient } from "./hub-client.ts";
import { BLOCK_BYTES } from "./incomplete-file.ts";
import type { RepoFile } from "./repo-listing.ts";

/** A file of a repository, at a commit. */
export interface FileRequest {
  readonly subject: Required<RequestSubject>;
  readonly file: RepoFile;
}

/**
 * Asks for bytes `start` to before `end`; a small file is asked for as a whole.
 * @throws as {@link HubClient.get} does; DownloadError when the hub says that the file is another than it lists.
 */
export function askForBytes(
  client: HubClient,
  request: FileRequest,
  [start, end]: readonly [number, number],
  signal: AbortSignal,
): Promise<Answer> {
  const { subject, file } = request;
  const names = file.path.split("/").map(encodeURIComponent).join("/");
  const address = `${client.settings.endpoint}/${subject.repository}/resolve/${subject.revision}/${names}`;
  return client.get(address, {
    ...{ subject, signal },
    onHubAnswer: (header) => checkHeaders(header, request),
    ...(file.bytes <= BLOCK_BYTES && start === 0 ? {} : { range: [start, end] }),
  });
}

/**
 * Which byte of the file an answer begins with: `wanted`, or 0 from a server that sends no parts.
 * @throws DownloadError for an answer that is another part, or of another length than the file.
 */
export function startOf(answer: Answer, wanted: number, { subject, file }: FileRequest): number {
  const refuse = (reason: string): DownloadError =>
    new DownloadError(reason, {
      where: subjectText(subject),
      remedy: "the server's copy is not what its listing says: try again later, or without HF_ENDPOINT",
    });
  if (answer.status === 206) {
    const match = /^bytes (\d{1,16})-(\d{1,16})\/(\d{1,16}|\*)$/.exec(answer.header("content-range") ?? "");
    if (match === null || Number(match[1]) !== wanted)
      throw refuse("the server sent another part than was asked for");
    if (match[3] !== "*" && Number(match[3]) !== file.bytes) {
      throw refuse(`the server has ${match[3]} bytes, its listing says ${file.bytes}`);
    }
    return wanted;
  }
  if (answer.status !== 200) throw refuse(`the server answered ${answer.status}`);
  const length = answer.header("content-length");
  if (length !== undefined && Number(length) !== file.bytes) {
    throw refuse(`the server has ${length.slice(0, 20)} bytes, its listing says ${file.bytes}`);
  }
  return 0;
}

/** What is thrown when all that a server sent has another digest than the file. */
export function otherContent({ subject, file }: FileRequest): DownloadError {
  return new DownloadError(`what the server sends is not the file (${file.digest.algorithm} differs)`, {
    where: subjectText(subject),
    remedy: "something on the way changes it: try without HF_ENDPOINT or the proxy",
  });
}

/** What the hub says of the file beside sending it must be what its listing says. */
function checkHeaders(header: Answer["header"], { subject, file }: FileRequest): void {
  const commit = header("x-repo-commit");
  const etag = (header("x-linked-etag") ?? header("etag"))?.replace(/^W\//, "").replaceAll('"', "");
  // Other servers make tags of their own; one that has the form of a digest is one.
  const isOther =
    etag?.length === file.digest.hex.length && /^[0-9a-f]+$/.test(etag) && etag !== file.digest.hex;
  if (isOther || (commit !== undefined && commit !== subject.revision)) {
    throw new DownloadError("the server has another version of the file than its listing says", {
      where: subjectText(subject),
      remedy: "try again later, or without HF_ENDPOINT",
    });
  }
}
