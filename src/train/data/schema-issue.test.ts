/** @file Faults named by their field, also behind unions. */
import { expect, it } from "vitest";
import { z } from "zod";
import { firstIssue, issueField } from "./schema-issue.ts";

const schema = z.strictObject({
  data: z.union([z.string().min(1), z.array(z.strictObject({ path: z.string(), share: z.number() }))]),
  rate: z.union([z.number().positive(), z.null()]).optional(),
});

it.each<[unknown, string, RegExp]>([
  [{ data: 5 }, "data", /expected string or array/],
  [{ data: [], rate: "fast" }, "rate", /expected number or null/],
  [{ data: "" }, "data", /small/],
  [
    {
      data: [
        { path: "a", share: 1 },
        { path: 3, share: 1 },
      ],
    },
    "data.1.path",
    /expected string/,
  ],
  [{ data: [{ path: "a", share: 1, typ: "nlp" }] }, "data.0", /"typ"/],
  [{ data: ["a"] }, "data.0", /expected object/],
  [{ data: "a", rate: -1 }, "rate", /small/],
  [{}, "data", /expected string or array/],
  [[], "", /expected object/],
])("%j is wrong at %j", (value, field, message) => {
  const { error } = schema.safeParse(value);
  const issue = firstIssue(error!);
  expect(issueField(issue!)).toBe(field);
  expect(issue!.message).toMatch(message);
});
