/** @file Names of requests, by which an answer is found in the log. */
import { randomUUID } from "node:crypto";

/** Those that clients give are taken over if they can stand in a log. */
const GIVEN = /^[A-Za-z0-9_.:-]{1,128}$/;

export function newRequestId(): string {
  return `req_${randomUUID().replaceAll("-", "")}`;
}

export function requestIdOf(given: string | undefined): string {
  return given !== undefined && GIVEN.test(given) ? given : newRequestId();
}
