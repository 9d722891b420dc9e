/** @file What is wrong with a value that a schema refuses, down to the field that is at fault. */

import type { z } from "zod";

type Issue = z.core.$ZodIssue;

/**
 * The first fault, its path leading from the whole value to the field. Of the alternatives of a union the one that
 * got furthest into the value is taken for what was meant; where none got anywhere, all that would do are named.
 */
export function firstIssue(error: z.ZodError): Issue | undefined {
  const [issue] = error.issues;
  return issue === undefined ? undefined : withinUnions(issue);
}

function withinUnions(issue: Issue): Issue {
  if (issue.code !== "invalid_union") return issue;
  const inner = issue.errors.flatMap(([first]) => (first === undefined ? [] : [withinUnions(first)]));
  const furthest = inner.reduce<Issue | undefined>(
    (best, one) => (best === undefined || depth(one) > depth(best) ? one : best),
    undefined,
  );
  if (furthest === undefined) return issue;
  if (depth(furthest) > 0) return { ...furthest, path: [...issue.path, ...furthest.path] };
  const expected = [...new Set(inner.flatMap((one) => (one.code === "invalid_type" ? [one.expected] : [])))];
  if (expected.length < inner.length) return { ...furthest, path: issue.path };
  return { ...furthest, path: issue.path, message: `Invalid input: expected ${expected.join(" or ")}` };
}

/** Unknown keys lie within the object that they are reported for. */
function depth(issue: Issue): number {
  return issue.path.length + (issue.code === "unrecognized_keys" ? 1 : 0);
}

/** `data.0.path` of a fault; empty for the whole value. */
export function issueField(issue: Issue): string {
  return issue.path.map(String).join(".");
}
