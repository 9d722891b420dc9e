/** @file A store on a server that speaks S3: `PREFIX/blobs/SHA256` and `PREFIX/drafts/JOB` in a bucket. */
import { randomBytes } from "node:crypto";
import type { S3Client } from "@aws-sdk/client-s3";
import { ConfigError, DataFormatError, StorageError, UnsupportedError } from "../../errors.ts";
import { isSha256 } from "../../formats/json-value.ts";
import type { BlobStore, DraftStore, StoredBlob } from "../contract/blob-store.ts";
import { blobNameOf, checkBlobName, checkJobName, isJobName } from "./blob-name.ts";

type Library = typeof import("@aws-sdk/client-s3");
type Words = readonly [reason: string, remedy: string];

const ADDRESS = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/(.*))?$/;
const CONNECT_MS = 5000;
/** Without a sign of life from the server. */
const REQUEST_MS = 30_000;
/** Of one request, with growing pauses. */
const TRIES = 4;

/** By name of the error, or the system's code. */
const FAULTS: ReadonlyMap<string, Words> = new Map<string, Words>([
  ["NoSuchBucket", ["there is no such bucket", "create it, or name another"]],
  ["AccessDenied", ["access is denied", "allow reading, writing, deleting and listing below the prefix"]],
  ["InvalidAccessKeyId", ["the access key is not known", "look at AWS_ACCESS_KEY_ID and AWS_ENDPOINT_URL"]],
  ["SignatureDoesNotMatch", ["the secret key does not fit", "look at AWS_SECRET_ACCESS_KEY"]],
  [
    "CredentialsProviderError",
    ["there are no credentials", "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"],
  ],
  ["ECONNREFUSED", ["nobody listens there", "start the server, or look at AWS_ENDPOINT_URL"]],
  ["ENOTFOUND", ["there is no such host", "look at AWS_ENDPOINT_URL"]],
  ["TimeoutError", ["the server does not answer", "look after the server and the network"]],
  ["XMinioStorageFull", ["the server's disk is full", "free some space"]],
]);

export class S3Store implements BlobStore {
  readonly drafts: DraftStore;
  readonly #bucket: Bucket;

  private constructor(bucket: Bucket) {
    this.#bucket = bucket;
    this.drafts = new S3Drafts(bucket);
  }

  /**
   * @param address `s3://BUCKET/PREFIX`. Server, region and credentials are found in the environment and the files where
   * other programs have them: `AWS_ENDPOINT_URL`, `AWS_REGION`, `AWS_ACCESS_KEY_ID`, ...
   * @throws ConfigError for another address; UnsupportedError where the library for it is not installed; StorageError that
   * says why the bucket cannot be written to.
   */
  static async open(address: string): Promise<S3Store> {
    const [, bucket, path = ""] = ADDRESS.exec(address) ?? [];
    if (bucket === undefined) {
      throw new ConfigError("is not the address of a bucket", {
        where: address,
        remedy: "write it as s3://BUCKET or s3://BUCKET/PREFIX",
      });
    }
    const prefix = path.replace(/\/+$/, "");
    const opened = new Bucket(await loadLibrary(), bucket, prefix === "" ? "" : `${prefix}/`);
    try {
      // Found out now and not with the first picture that is drawn.
      const probe = `probe-${randomBytes(8).toString("hex")}`;
      await opened.put(probe, new Uint8Array(1));
      await opened.remove(probe);
    } catch (error) {
      opened.close();
      throw error;
    }
    return new S3Store(opened);
  }

  /** Also where they are there already: they become young by it. */
  async put(bytes: Uint8Array): Promise<string> {
    const name = blobNameOf(bytes);
    await this.#bucket.put(keyOf(name), bytes);
    return name;
  }

  async get(name: string): Promise<Uint8Array | undefined> {
    const key = keyOf(name);
    const bytes = await this.#bucket.get(key);
    if (bytes === undefined || blobNameOf(bytes) === name) return bytes;
    throw new DataFormatError("holds other bytes than were stored", {
      where: this.#bucket.nameOf(key),
      remedy: "look after the server; the same bytes stored again put it right",
    });
  }

  async remove(name: string, before?: number): Promise<void> {
    const key = keyOf(name);
    if (before !== undefined && ((await this.#bucket.modified(key)) ?? before) >= before) return;
    await this.#bucket.remove(key);
  }

  async *list(): AsyncGenerator<StoredBlob> {
    for await (const { name, bytes, modified } of this.#bucket.list("blobs/")) {
      if (isSha256(name)) yield { name, bytes, modified };
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#bucket.close();
  }
}

class S3Drafts implements DraftStore {
  readonly #bucket: Bucket;

  constructor(bucket: Bucket) {
    this.#bucket = bucket;
  }

  async put(job: string, bytes: Uint8Array): Promise<void> {
    await this.#bucket.put(draftKeyOf(job), bytes);
  }

  async get(job: string): Promise<Uint8Array | undefined> {
    return this.#bucket.get(draftKeyOf(job));
  }

  async remove(job: string): Promise<void> {
    await this.#bucket.remove(draftKeyOf(job));
  }

  async *list(): AsyncGenerator<{ readonly job: string; readonly modified: number }> {
    for await (const { name, modified } of this.#bucket.list("drafts/")) {
      if (isJobName(name)) yield { job: name, modified };
    }
  }
}

/** Objects below a prefix of a bucket. */
class Bucket {
  readonly #library: Library;
  readonly #client: S3Client;
  readonly #bucket: string;
  readonly #prefix: string;

  constructor(library: Library, bucket: string, prefix: string) {
    const { AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, AWS_REGION, AWS_DEFAULT_REGION } = process.env;
    const isOwnServer = (AWS_ENDPOINT_URL_S3 ?? AWS_ENDPOINT_URL ?? "") !== "";
    this.#library = library;
    this.#bucket = bucket;
    this.#prefix = prefix;
    this.#client = new library.S3Client({
      maxAttempts: TRIES,
      requestHandler: {
        connectionTimeout: CONNECT_MS,
        requestTimeout: REQUEST_MS,
        throwOnRequestTimeout: true,
      },
      // Servers other than Amazon's know buckets by path, have no regions, and not all of them the newer checksums.
      forcePathStyle: isOwnServer,
      ...(isOwnServer ? { region: AWS_REGION ?? AWS_DEFAULT_REGION ?? "us-east-1" } : {}),
      requestChecksumCalculation: "WHEN_REQUIRED",
      responseChecksumValidation: "WHEN_REQUIRED",
    });
  }

  nameOf(key: string): string {
    return `s3://${this.#bucket}/${this.#prefix}${key}`;
  }

  async put(key: string, bytes: Uint8Array): Promise<void> {
    const { PutObjectCommand } = this.#library;
    await this.#run(key, () =>
      this.#client.send(
        new PutObjectCommand({ ...this.#at(key), Body: bytes, ContentLength: bytes.byteLength }),
      ),
    );
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    const { GetObjectCommand } = this.#library;
    return this.#run(key, async () => {
      const { Body } = await this.#client.send(new GetObjectCommand(this.#at(key)));
      return Body?.transformToByteArray();
    });
  }

  /** Unix seconds; undefined for what is not there. */
  async modified(key: string): Promise<number | undefined> {
    const { HeadObjectCommand } = this.#library;
    return this.#run(key, async () => {
      const { LastModified } = await this.#client.send(new HeadObjectCommand(this.#at(key)));
      return secondsOf(LastModified);
    });
  }

  async remove(key: string): Promise<void> {
    const { DeleteObjectCommand } = this.#library;
    await this.#run(key, () => this.#client.send(new DeleteObjectCommand(this.#at(key))));
  }

  /** @param below prefix of keys that their names are told without. */
  async *list(
    below: string,
  ): AsyncGenerator<{ readonly name: string; readonly bytes: number; readonly modified: number }> {
    const { ListObjectsV2Command } = this.#library;
    const Prefix = `${this.#prefix}${below}`;
    let next: string | undefined;
    do {
      const page = await this.#run(below, () =>
        this.#client.send(
          new ListObjectsV2Command({
            Bucket: this.#bucket,
            Prefix,
            ...(next === undefined ? {} : { ContinuationToken: next }),
          }),
        ),
      );
      for (const { Key, Size = 0, LastModified } of page?.Contents ?? []) {
        if (Key === undefined) continue;
        yield { name: Key.slice(Prefix.length), bytes: Size, modified: secondsOf(LastModified) };
      }
      next = page?.NextContinuationToken;
    } while (next !== undefined);
  }

  close(): void {
    this.#client.destroy();
  }

  #at(key: string): { readonly Bucket: string; readonly Key: string } {
    return { Bucket: this.#bucket, Key: `${this.#prefix}${key}` };
  }

  /** Undefined for what is not there. */
  async #run<T>(key: string, work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (cause) {
      if (isMissing(cause)) return undefined;
      const [reason, remedy] = wordsOf(cause);
      throw new StorageError(reason, { where: this.nameOf(key), remedy, cause });
    }
  }
}

function keyOf(name: string): string {
  checkBlobName(name);
  return `blobs/${name}`;
}

function draftKeyOf(job: string): string {
  checkJobName(job);
  return `drafts/${job}`;
}

/** A server that does not say is taken to have stored it just now: nothing is swept on a guess. */
function secondsOf(time: Date | undefined): number {
  return (time?.getTime() ?? Date.now()) / 1000;
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && (error.name === "NoSuchKey" || error.name === "NotFound");
}

function wordsOf(error: unknown): Words {
  if (!(error instanceof Error)) return [String(error), "look after the server"];
  const code = "code" in error ? String(error.code) : "";
  return (
    FAULTS.get(error.name) ?? FAULTS.get(code) ?? [`${error.name}: ${error.message}`, "look after the server"]
  );
}

/** It is large, and few need it. */
async function loadLibrary(): Promise<Library> {
  try {
    return await import("@aws-sdk/client-s3");
  } catch (cause) {
    throw new UnsupportedError("a store on S3 needs a package that is not installed", {
      where: "@aws-sdk/client-s3",
      remedy: "npm install @aws-sdk/client-s3 where nextstep is installed",
      cause,
    });
  }
}
