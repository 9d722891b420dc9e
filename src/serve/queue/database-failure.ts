/** @file What is wrong when a database does not answer as it should, in words that say what to do. */
import { NextStepError, StorageError } from "../../errors.ts";

type Words = readonly [reason: string, remedy: string];

/** By SQLSTATE or the system's code, then by the SQLSTATE's class. */
const FAULTS: ReadonlyMap<string, Words> = new Map<string, Words>([
  ["53100", ["the disk of the database is full", "free some space"]],
  ["53300", ["the database takes no more connections", "raise its max_connections or run fewer servers"]],
  ["28P01", ["the database refuses the password", "look at DATABASE_URL"]],
  ["28000", ["the database refuses the user", "look at DATABASE_URL and the server's pg_hba.conf"]],
  ["3D000", ["there is no such database", "create it, or look at DATABASE_URL"]],
  ["42501", ["the user may not do that", "grant the user CREATE on the database"]],
  ["25006", ["the database can only be read", "name the primary in DATABASE_URL, not a replica"]],
  ["55P03", ["another process holds a lock for too long", "look whether a server process is stopped"]],
  ["57014", ["a statement took too long", "look after the load of the database"]],
  ["ECONNREFUSED", ["nobody listens there", "start the database, or look at DATABASE_URL"]],
  ["ENOTFOUND", ["there is no such host", "look at DATABASE_URL"]],
  ["EAI_AGAIN", ["the host's name cannot be resolved now", "look at DATABASE_URL and the network"]],
  ["ECONNRESET", ["the connection was cut", "look after the database and the network"]],
  ["ETIMEDOUT", ["the database does not answer", "look after the database and the network"]],
  ["58030", ["the disk of the database has a fault", "look after the disk"]],
]);
const CLASSES: ReadonlyMap<string, Words> = new Map<string, Words>([
  ["08", ["the connection was cut", "look after the database and the network"]],
  ["57", ["the database is being stopped or started", "wait until it is there again"]],
  ["53", ["the database is out of a resource", "look after its disk and memory"]],
  ["XX", ["the database is damaged", "look into its log, and take its files from a backup"]],
]);

/** A transaction that another one was in the way of: to be begun anew. */
export function isConflict(error: unknown): boolean {
  return ["40001", "40P01"].includes(codeOf(error) ?? "");
}

/** What befell as a StorageError that names the database; one that is typed already, as it is. */
export function databaseFailure(cause: unknown, where: string): NextStepError {
  if (cause instanceof NextStepError) return cause;
  const code = codeOf(cause) ?? "";
  const [reason, remedy] = FAULTS.get(code) ??
    CLASSES.get(code.slice(0, 2)) ?? [firstLine(cause), "look after the database"];
  return new StorageError(reason, { where, remedy, cause });
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split("\n")[0] ?? "";
}
