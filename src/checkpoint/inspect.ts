/** @file Tells what a file or folder holds, whichever of the formats in use it is. */
import { ModelFormatError, NextStepError } from "../errors.ts";
import type { ByteSource } from "../formats/byte-source.ts";
import { compressionOf } from "../formats/compression.ts";
import type { FileFolder } from "../formats/file-folder.ts";
import { isJsonObject, readJson } from "../formats/json-file.ts";
import { SafetensorsFile } from "../formats/safetensors.ts";
import { SafetensorsSet } from "../formats/safetensors-set.ts";
import { readTarIndex } from "../formats/tar.ts";
import { groupTarSamples } from "../formats/tar-sample.ts";
import type { TensorSource } from "../formats/tensor-source.ts";
import { TorchArchive } from "../formats/torch-archive.ts";
import { MAX_PICTURE_BYTES, pictureFormat } from "../image/picture-format.ts";
import type { Release } from "../model/config.ts";
import { loadTokenizer } from "../sequence/tokenizer.ts";
import { type AutoencoderFolder, readAutoencoderFolder } from "./autoencoder-folder.ts";
import { inspectJson, isAutoencoderConfig, type JsonKind } from "./inspect-json.ts";
import { inspectPicture, type PictureReaders } from "./inspect-picture.ts";
import type {
  AutoencoderInspection,
  Inspection,
  MemoryInspection,
  ModelInspection,
  TarInspection,
  WeightsInspection,
} from "./inspection.ts";
import { type ModelFolder, readModelFolder } from "./model-folder.ts";
import type { Problem } from "./problem.ts";
import { floatModules } from "./quantized/float-modules.ts";
import { storedFormats } from "./quantized/stored-formats.ts";
import { ggufError, isGguf, refuseGguf } from "./refuse-gguf.ts";
import { countParts, listNamed, listStored } from "./tensor-listing.ts";

/** Bytes by which a file is recognised: past the magic number in a tar's first header. */
const HEAD_BYTES = 262;
const TAR_MAGIC_OFFSET = 257;
const ZIP_MAGIC = "PK\x03\x04";
/** A safetensors header follows eight bytes of length and is a JSON object. */
const SAFETENSORS_BRACE = 8;
/** Of configurations and, by far the largest, tokenizers. */
const MAX_JSON_BYTES = 32 * 1024 * 1024;
const CONFIG_FILE = "config.json";
const FIRST_KEYS = 5;
/** For faults whose finder knows none of its own. */
const USUAL_REMEDY = "the file is damaged or was changed by hand: fetch it again";

/** Readers of what this room does not read itself. */
export interface InspectReaders extends PictureReaders {
  /** Kinds of JSON that rooms above know. */
  readonly json: readonly JsonKind[];
  /** What drawing with a model takes; undefined for one that cannot draw. */
  readonly memory: (folder: ModelFolder) => MemoryInspection | undefined;
}

/** What is inspected: a folder, or a file of the folder `beside`, where the shards of an index lie. */
export type Place =
  | { readonly kind: "folder"; readonly folder: FileFolder }
  | { readonly kind: "file"; readonly beside: FileFolder; readonly member: string };

/**
 * Recognises a file by its content, not its name: safetensors, their index, torch archives, tars, pictures,
 * configurations and other JSON; folders by their config.json. A model folder whose tensors are missing or do not fit,
 * or whose tokenizer cannot be used, is still described, with fatal problems.
 * @throws InputError if there is nothing to read, or a typed error with reason and remedy if it is damaged.
 */
export async function inspect(place: Place, readers: InspectReaders): Promise<Inspection> {
  try {
    return place.kind === "folder"
      ? await inspectFolder(place.folder, readers)
      : await inspectFile(place, readers);
  } catch (error) {
    if (!(error instanceof NextStepError) || error.remedy !== undefined) throw error;
    const path = place.kind === "folder" ? place.folder.path : place.beside.pathOf(place.member);
    const { code, reason, where = path } = error;
    throw new NextStepError(code, reason, { where, remedy: USUAL_REMEDY, cause: error });
  }
}

type FilePlace = Extract<Place, { readonly kind: "file" }>;

async function inspectFile(place: FilePlace, readers: InspectReaders): Promise<Inspection> {
  const { beside, member } = place;
  const source = await beside.open(member);
  let head: Uint8Array;
  try {
    head = await source.read(0, Math.min(HEAD_BYTES, source.byteLength));
    const format = pictureFormat(head);
    if (format !== undefined) {
      return await inspectPicture(await readPicture(source), source.name, format, readers);
    }
    if (isGguf(head)) throw ggufError(source.name);
    if (isTar(head, member)) return await inspectTar(source);
    refuseCompressed(head, source.name);
  } finally {
    await source.close();
  }
  const text = new TextDecoder("latin1").decode(head);
  if (text.startsWith(ZIP_MAGIC))
    return inspectWeights("torch archive", await TorchArchive.read(await beside.open(member)));
  if (/^(?:\xef\xbb\xbf)?\s*[[{]/.test(text)) return inspectJsonFile(place, readers.json);
  if (text[SAFETENSORS_BRACE] === "{" || member.endsWith(".safetensors")) {
    return inspectWeights("safetensors", await SafetensorsFile.read(await beside.open(member)));
  }
  throw new ModelFormatError("is none of the formats that can be inspected", {
    where: source.name,
    remedy:
      "name a safetensors file, its index, a torch archive, a tar, a picture, a JSON file or a model folder",
  });
}

/** Zip archives are torch's; what a tar reader says of other names is said here of any file. */
function refuseCompressed(head: Uint8Array, where: string): void {
  const compression = compressionOf(head);
  if (compression === undefined || compression.name === "zip") return;
  throw new ModelFormatError(`is compressed (${compression.name}), and files are read in place`, {
    where,
    remedy: `unpack it first: ${compression.command}`,
  });
}

/** Old tars have no magic number; their name has to do. */
function isTar(head: Uint8Array, path: string): boolean {
  const magic = new TextDecoder("latin1").decode(head.subarray(TAR_MAGIC_OFFSET, TAR_MAGIC_OFFSET + 5));
  return magic === "ustar" || path.endsWith(".tar");
}

async function inspectFolder(files: FileFolder, readers: InspectReaders): Promise<Inspection> {
  await refuseGguf(files);
  if (!(await files.has(CONFIG_FILE))) {
    throw new ModelFormatError("has no config.json", {
      where: files.path,
      remedy: "name a model folder or a file",
    });
  }
  const json = await readJson(await files.open(CONFIG_FILE));
  if (isAutoencoderConfig(json)) {
    await using folder = await readAutoencoderFolder(files, releaseOfFolder);
    return describeAutoencoder(folder);
  }
  return inspectModel(files, readers);
}

/** An autoencoder without a model around it is read by the newer published class. */
const releaseOfFolder: Release = "v1.1";

async function inspectModel(files: FileFolder, readers: InspectReaders): Promise<ModelInspection> {
  await using folder = await readModelFolder(files);
  const tensors = listNamed(folder.tensors);
  const { quantized } = folder.tensors;
  const problems: Problem[] = [...folder.problems];
  let tokenizer: ModelInspection["tokenizer"];
  try {
    const { size, bosToken } = await loadTokenizer(folder.files);
    tokenizer = { size, bosToken };
  } catch (error) {
    if (!(error instanceof NextStepError)) throw error;
    const { where = "tokenizer", reason, remedy = USUAL_REMEDY } = error;
    // Start weights, which no picture is drawn with, are trained from with a tokenizer of the trainer's choice.
    problems.push({
      kind: "tokenizer",
      subject: where,
      detail: reason,
      fatal: folder.hasImageModules,
      remedy,
    });
  }
  const memory = readers.memory(folder);
  return {
    kind: "model",
    path: files.path,
    release: folder.release,
    config: folder.config,
    hasImageModules: folder.hasImageModules,
    quantization:
      quantized === undefined
        ? undefined
        : {
            layout: quantized.layout,
            formats: storedFormats(quantized),
            floats: floatModules(folder.tensors),
          },
    tokenizer,
    autoencoder: folder.autoencoder === undefined ? undefined : describeAutoencoder(folder.autoencoder),
    ...(memory === undefined ? {} : { memory }),
    problems,
    tensors,
    parts: countParts(tensors),
    metadata: Object.fromEntries(folder.tensors.metadata),
  };
}

function describeAutoencoder(folder: AutoencoderFolder): AutoencoderInspection {
  const tensors = listNamed(folder.tensors);
  const { path, weightFile, config, problems } = folder;
  const metadata = Object.fromEntries(folder.tensors.metadata);
  return {
    kind: "autoencoder",
    path,
    weightFile,
    config,
    problems,
    tensors,
    parts: countParts(tensors),
    metadata,
  };
}

async function inspectJsonFile(
  { beside, member }: FilePlace,
  kinds: readonly JsonKind[],
): Promise<Inspection> {
  if (member.endsWith(".index.json")) return inspectIndex(beside, member);
  const json = await readJson(await beside.open(member), MAX_JSON_BYTES);
  if (isJsonObject(json) && isJsonObject(json.weight_map)) return inspectIndex(beside, member);
  return inspectJson(json, beside.pathOf(member), kinds);
}

async function inspectIndex(folder: FileFolder, index: string): Promise<WeightsInspection> {
  const source = await SafetensorsSet.open(folder, index);
  const problems = source.unlisted.map((subject) => ({
    kind: "extra" as const,
    subject,
    detail: "is in a shard, but the index does not place it there",
    fatal: false,
  }));
  return inspectWeights("safetensors index", source, problems);
}

async function inspectWeights(
  kind: WeightsInspection["kind"],
  source: TensorSource,
  problems: readonly Problem[] = [],
): Promise<WeightsInspection> {
  const tensors = listStored(source);
  const metadata = Object.fromEntries(source.metadata);
  await source.close();
  return { kind, path: source.name, tensors, parts: countParts(tensors), metadata, problems };
}

async function inspectTar(source: ByteSource): Promise<TarInspection> {
  const entries = await readTarIndex(source);
  const samples = groupTarSamples(entries);
  const extensions = new Map<string, number>();
  for (const { name } of entries) {
    const extension = /\.([^./]{1,16})$/.exec(name)?.[1]?.toLowerCase() ?? "";
    extensions.set(extension, (extensions.get(extension) ?? 0) + 1);
  }
  return {
    kind: "tar",
    path: source.name,
    members: entries.length,
    bytes: entries.reduce((sum, { size }) => sum + size, 0),
    extensions: Object.fromEntries([...extensions].sort(([, a], [, b]) => b - a)),
    samples: samples.length,
    pictures: samples.reduce((sum, { images }) => sum + images.length, 0),
    firstKeys: samples.slice(0, FIRST_KEYS).map(({ key }) => key),
  };
}

async function readPicture(source: ByteSource): Promise<Uint8Array> {
  if (source.byteLength > MAX_PICTURE_BYTES) {
    throw new ModelFormatError(`${source.byteLength} bytes are too many for a picture`, {
      where: source.name,
    });
  }
  return source.read(0, source.byteLength);
}
