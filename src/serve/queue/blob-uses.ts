/** @file Which stored files are named by a job or a picture: what nothing names may go. */
import type { DrawRequest } from "../contract/draw-request.ts";
import type { Sql } from "./database.ts";
import { SCHEMA } from "./schema.ts";

/** By whom files are named; `look`: as a look at unfinished pictures. */
export interface Namer {
  readonly job?: string;
  readonly picture?: string;
  readonly look?: true;
}

/** Input pictures and the mask. */
export function namesInRequest({ images, ground }: DrawRequest): readonly string[] {
  return ground?.kind === "mask" ? [...images, ground.mask] : images;
}

export async function recordUses(sql: Sql, namer: Namer, names: readonly string[]): Promise<void> {
  if (names.length === 0) return;
  await sql.query(
    `INSERT INTO ${SCHEMA}.blob_use (name, job, picture, look)
     SELECT DISTINCT name, $2::uuid, $3::uuid, $4::boolean FROM unnest($1::text[]) AS name`,
    [names, namer.job ?? null, namer.picture ?? null, namer.look ?? false],
  );
}

/** Looks of a job are of no use from now on, but to those who have just been told of them. */
export async function dropLooks(sql: Sql, job: string): Promise<void> {
  await sql.query(
    `UPDATE ${SCHEMA}.blob_use SET dropped = clock_timestamp() WHERE job = $1::uuid AND look AND dropped IS NULL`,
    [job],
  );
}

/** Of the names, those that nothing names. */
export async function unnamed(sql: Sql, names: readonly string[]): Promise<readonly string[]> {
  const rows = await sql.query<{ name: string }>(
    `SELECT DISTINCT name FROM unnest($1::text[]) AS name
     WHERE NOT EXISTS (SELECT 1 FROM ${SCHEMA}.blob_use AS used WHERE used.name = name.name)`,
    [names],
  );
  return rows.map(({ name }) => name);
}
