/** @file What the queue asks of a database: PostgreSQL in this process, or a server that other processes use too. */

export type Value = string | number | boolean | null | readonly (string | number | null)[];

/** A connection, or a transaction on one. */
export interface Sql {
  /** One statement. Times and 64-bit numbers have to be cast by it: the two databases hand them over differently. */
  query<Row extends object>(text: string, values?: readonly Value[]): Promise<readonly Row[]>;
  /** Statements without values, one after another. */
  script(text: string): Promise<void>;
}

/**
 * What a commit outlives when it is answered.
 * - `power`: a power cut.
 * - `process`: the end of every process of this program. For what is only worth as much as the work that a power cut
 *   takes with it.
 */
export type Durability = "power" | "process";

/** Whatever the database refuses for reasons of its own is a StorageError. */
export interface Database extends Sql, AsyncDisposable {
  /** Whether other processes may be at work on it. */
  readonly isShared: boolean;
  /** Name for messages, without a password. */
  readonly name: string;
  /**
   * Commits when `work` is done; what it throws undoes everything. May be run again when the database asks for it. On a
   * database that is not shared nothing else runs meanwhile, so that `work` must do with what it is given.
   */
  transaction<T>(durability: Durability, work: (sql: Sql) => Promise<T>): Promise<T>;
  /**
   * Calls `onNotice` with what other processes notify, and this one; with undefined when notices may have been missed.
   * Does nothing where there are no other processes. Ends when it is disposed of.
   */
  listen(channel: string, onNotice: (payload: string | undefined) => void): AsyncDisposable;
  /** Gives up what is no longer needed, so that the files of the database stop growing. */
  tidy(): Promise<void>;
}
