/** @file The gallery: a row a picture, beside the files that it names. */
import { randomUUID } from "node:crypto";
import type { DrawRequest } from "../contract/draw-request.ts";
import type { Gallery, GalleryEntry, GalleryFilter, NewPicture, Retention } from "../contract/gallery.ts";
import type { BlobSweep } from "./blob-sweep.ts";
import { namesInRequest, recordUses } from "./blob-uses.ts";
import type { Sql, Value } from "./database.ts";
import { isId, type QueueCore } from "./queue-core.ts";
import { SCHEMA } from "./schema.ts";

const READ = `
  SELECT id::text AS id, job::text AS job, index, owner, extract(epoch FROM created)::float8 AS created,
    blob, tokens, thumbnail, bytes::float8 AS bytes, width, height, recipe, notes, request
  FROM ${SCHEMA}.picture`;
/** Removed in one transaction. */
const BATCH = 200;

/** Enters the pictures of a job. Those that are there already, by job and index, stay as they are. */
export async function enterPictures(
  sql: Sql,
  job: { readonly id: string; readonly owner: string | null; readonly request: DrawRequest },
  pictures: readonly NewPicture[],
): Promise<void> {
  for (const { index, blob, tokens, thumbnail, bytes, width, height, recipe, notes } of pictures) {
    const id = randomUUID();
    const rows = await sql.query(
      `INSERT INTO ${SCHEMA}.picture
         (id, job, index, owner, blob, tokens, thumbnail, bytes, width, height, recipe, notes, request)
       VALUES ($1::uuid, $2::uuid, $3, $4, $5, $6, $7, $8, $9, $10, $11::json, $12::json, $13::json)
       ON CONFLICT (job, index) DO NOTHING RETURNING id`,
      [
        ...[id, job.id, index, job.owner, blob, tokens, thumbnail, bytes, width, height],
        ...[JSON.stringify(recipe), JSON.stringify(notes), JSON.stringify(job.request)],
      ],
    );
    if (rows.length === 0) continue;
    await recordUses(sql, { picture: id }, [blob, tokens, thumbnail, ...namesInRequest(job.request)]);
  }
}

/** In order. */
export async function picturesOf(sql: Sql, job: string): Promise<readonly GalleryEntry[]> {
  return sql.query<GalleryEntry>(`${READ} WHERE job = $1::uuid ORDER BY index`, [job]);
}

export class GalleryTable implements Gallery {
  readonly #core: QueueCore;
  readonly #sweep: BlobSweep;

  constructor(core: QueueCore, sweep: BlobSweep) {
    this.#core = core;
    this.#sweep = sweep;
  }

  async get(id: string): Promise<GalleryEntry | undefined> {
    if (!isId(id)) return undefined;
    const { database } = this.#core;
    return (await database.query<GalleryEntry>(`${READ} WHERE id = $1::uuid`, [id]))[0];
  }

  async find(blob: string, owner?: string | null): Promise<GalleryEntry | undefined> {
    const rows = await this.#core.database.query<GalleryEntry>(
      `${READ} WHERE blob = $1 AND ($2::boolean OR owner IS NOT DISTINCT FROM $3)
         AND id IN (SELECT picture FROM ${SCHEMA}.blob_use WHERE name = $1)
       ORDER BY place DESC LIMIT 1`,
      [blob, owner === undefined, owner ?? null],
    );
    return rows[0];
  }

  async list({ before, limit, owner }: GalleryFilter): Promise<readonly GalleryEntry[]> {
    if (before !== undefined && !isId(before)) return [];
    const values: Value[] = [limit, owner ?? null, before ?? null];
    return this.#core.database.query<GalleryEntry>(
      `${READ} WHERE ($2::text IS NULL OR owner = $2)
         AND ($3::uuid IS NULL OR place < (SELECT place FROM ${SCHEMA}.picture WHERE id = $3::uuid))
       ORDER BY place DESC LIMIT $1`,
      values,
    );
  }

  async count(): Promise<number> {
    const [row] = await this.#core.database.query<{ count: number }>(
      `SELECT count(*)::integer AS count FROM ${SCHEMA}.picture`,
    );
    return row?.count ?? 0;
  }

  async remove(id: string): Promise<boolean> {
    return isId(id) && (await this.#remove("SELECT $1::uuid AS id", id)) > 0;
  }

  async sweep({ seconds, bytes }: Retention): Promise<number> {
    let removed = 0;
    const removeAll = async (select: string, value: number): Promise<void> => {
      for (let some = BATCH; some === BATCH; removed += some) {
        some = await this.#remove(`${select} ORDER BY place LIMIT ${BATCH}`, value);
      }
    };
    if (seconds !== undefined) {
      const tooOld = "created < clock_timestamp() - $1::float8 * interval '1 second'";
      await removeAll(`SELECT id FROM ${SCHEMA}.picture WHERE ${tooOld}`, seconds);
    }
    if (bytes !== undefined) {
      // A picture goes when it and all newer ones are more than may stay.
      const totals = `SELECT id, place, sum(bytes) OVER (ORDER BY place DESC) AS total FROM ${SCHEMA}.picture`;
      await removeAll(`SELECT id FROM (${totals}) AS picture WHERE total > $1::float8`, bytes);
    }
    return removed;
  }

  /** @param select identifiers, by one value. */
  async #remove(select: string, value: Value): Promise<number> {
    const { removed, names } = await this.#core.database.transaction("power", async (sql) => {
      const found = await sql.query<{ id: string }>(
        `SELECT id::text AS id FROM ${SCHEMA}.picture WHERE id IN (SELECT id FROM (${select}) AS asked) FOR UPDATE`,
        [value],
      );
      const ids = found.map(({ id }) => id);
      const used = await sql.query<{ name: string }>(
        `SELECT DISTINCT name FROM ${SCHEMA}.blob_use WHERE picture = ANY($1::uuid[])`,
        [ids],
      );
      await sql.query(`DELETE FROM ${SCHEMA}.picture WHERE id = ANY($1::uuid[])`, [ids]);
      return { removed: ids.length, names: used.map(({ name }) => name) };
    });
    await this.#sweep.removeUnnamed(names);
    return removed;
  }
}
