/** @file The servers that `npm run test:services` has started, by the environment. */
import { randomUUID } from "node:crypto";
import pg from "pg";

export function service(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set: run these tests by npm run test:services`);
  return value;
}

/** The address of a database that nothing is in. */
export async function newDatabase(): Promise<string> {
  const url = new URL(service("NEXTSTEP_TEST_POSTGRES"));
  const client = new pg.Client({ connectionString: url.href });
  await client.connect();
  const name = `test_${randomUUID().replaceAll("-", "")}`;
  await client.query(`CREATE DATABASE ${name}`);
  await client.end();
  url.pathname = name;
  return url.href;
}
