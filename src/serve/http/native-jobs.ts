/** @file The native routes of jobs: asked for now, looked after later. */
import { z } from "zod";
import { relayed } from "../../generate/abort.ts";
import { ENDED, type JobRecord } from "../contract/job.ts";
import { ApiError, notFound } from "./api-error.ts";
import { eventStream, type ServerEvent } from "./event-stream.ts";
import { jobSchema, jobStatus, jobView, ownJob } from "./job-view.ts";
import { jobFields, jobFileFields, jobWish } from "./job-wish.ts";
import type { CheckedRequest, Routes } from "./routes.ts";
import { logFault } from "./server-log.ts";
import type { ServerParts } from "./server-parts.ts";
import { submitJob } from "./submit-job.ts";

const listQuery = z.strictObject({
  status: z.string().optional().meta({ description: "One status, or several with commas between them." }),
  limit: z.int().min(1).max(100).default(20),
  before: z.string().max(64).optional().meta({ description: "Newest first, older than this job." }),
});

const moveFields = z.strictObject({
  before: z.string().max(64).optional().meta({
    description: "The queued job in front of which it is put. Null or left out: behind all others.",
  }),
});

type AnyRequest = Pick<CheckedRequest<z.ZodObject, z.ZodObject>, "context" | "param">;

export function addNativeJobs(routes: Routes, parts: ServerParts): void {
  const { queue, store, limits, state } = parts;

  /** @throws ApiError of status 404 for a job that is not there, or somebody else's. */
  const jobOf = async ({ context, param }: AnyRequest): Promise<JobRecord> => {
    const id = param("id");
    const record = await ownJob(parts, id, context.get("owner"));
    if (record === undefined) throw notFound("job", id);
    return record;
  };

  routes.add(
    {
      method: "post",
      path: "/v1/jobs",
      summary: "Ask for pictures; answers at once with a job to follow",
      access: "key",
      body: { schema: jobFields, types: ["json", "form"], files: jobFileFields },
      answers: { 202: { description: "The job.", schema: jobSchema } },
    },
    async ({ context, fields, files }) => {
      const wish = await jobWish(fields, files, parts, context.get("owner"));
      const { record } = await submitJob(wish, context, parts, false);
      return async () =>
        context.json(await jobView(record, parts), 202, { location: `/v1/jobs/${record.id}` });
    },
  );

  routes.add(
    {
      method: "get",
      path: "/v1/jobs",
      summary: "Jobs, newest first",
      access: "key",
      query: listQuery,
      answers: {
        200: {
          description: "Jobs.",
          schema: z.object({ object: z.literal("list"), data: z.array(jobSchema), has_more: z.boolean() }),
        },
      },
    },
    async ({ context, query }) => {
      const { limit, before } = query;
      const owner = context.get("owner");
      const wanted = {
        ...(query.status === undefined ? {} : { statuses: statusesOf(query.status) }),
        ...(owner === null ? {} : { owner }),
      };
      const found = await queue.list({ ...wanted, limit, ...(before === undefined ? {} : { before }) });
      const last = found[limit - 1];
      const more = last === undefined ? [] : await queue.list({ ...wanted, limit: 1, before: last.id });
      const data = await Promise.all(found.map((record) => jobView(record, parts)));
      return context.json({ object: "list", data, has_more: more.length > 0 });
    },
  );

  routes.add(
    {
      method: "get",
      path: "/v1/jobs/{id}",
      summary: "A job",
      access: "key",
      answers: { 200: { description: "The job.", schema: jobSchema } },
    },
    async (request) => request.context.json(await jobView(await jobOf(request), parts)),
  );

  routes.add(
    {
      method: "get",
      path: "/v1/jobs/{id}/events",
      summary: "A job as it changes, as server-sent events named `job`; ends when it has ended",
      access: "key",
      answers: { 200: { description: "Events.", type: "text/event-stream", schema: z.string() } },
    },
    async (request) => {
      const record = await jobOf(request);
      async function* events(): AsyncGenerator<ServerEvent> {
        using watched = relayed(request.signal, state.stopping);
        for await (const now of queue.watch(record.id, watched.signal)) {
          yield { event: "job", data: JSON.stringify(await jobView(now, parts)) };
        }
      }
      return eventStream(events(), limits.pingMs, (error) => logFault(error, request.context, parts.log));
    },
  );

  const cancel = async (request: AnyRequest): Promise<Response> => {
    const before = await jobOf(request);
    if (ENDED.has(before.status)) throw ended(before);
    const record = await queue.cancel(before.id);
    if (record === undefined) throw notFound("job", before.id);
    return request.context.json(await jobView(record, parts));
  };
  const cancelled = { 200: { description: "The job as it is then.", schema: jobSchema } };
  routes.add(
    {
      method: "post",
      path: "/v1/jobs/{id}/cancel",
      summary: "Cancel a job",
      access: "key",
      answers: cancelled,
    },
    cancel,
  );
  routes.add(
    { method: "delete", path: "/v1/jobs/{id}", summary: "Cancel a job", access: "key", answers: cancelled },
    cancel,
  );

  routes.add(
    {
      method: "post",
      path: "/v1/jobs/{id}/move",
      summary: "Put a queued job in front of another one, or behind all",
      access: "key",
      body: { schema: moveFields, types: ["json"] },
      answers: { 200: { description: "The job.", schema: jobSchema } },
    },
    async (request) => {
      const record = await jobOf(request);
      const { before = null } = request.fields;
      if (before !== null && (await ownJob(parts, before, request.context.get("owner"))) === undefined) {
        throw notFound("job", before);
      }
      if (record.status !== "queued") throw notQueued(record);
      const moved = await queue.move(record.id, before);
      if (moved === undefined) throw notQueued(record);
      return request.context.json(await jobView(moved, parts));
    },
  );

  routes.add(
    {
      method: "get",
      path: "/v1/jobs/{id}/preview/{index}",
      summary: "The latest look at an unfinished picture",
      access: "signed",
      answers: { 200: { description: "A PNG.", type: "image/png", schema: z.string() } },
    },
    async (request) => {
      const { preview } = await jobOf(request);
      const index = request.param("index");
      const blob = /^\d{1,2}$/.test(index) ? preview?.blobs[Number(index)] : undefined;
      const bytes = blob === undefined ? undefined : await store.get(blob);
      if (bytes === undefined) throw notFound("preview", index);
      return new Response(new Uint8Array(bytes), {
        headers: { "content-type": "image/png", "cache-control": "no-store" },
      });
    },
  );
}

function statusesOf(text: string): JobRecord["status"][] {
  return text.split(",").map((part) => {
    const status = jobStatus.safeParse(part.trim());
    if (status.success) return status.data;
    throw new ApiError(
      400,
      `Invalid value: '${part.trim().slice(0, 60)}'. Supported values are: ${jobStatus.options.map((one) => `'${one}'`).join(", ")}.`,
      { param: "status", code: "invalid_value" },
    );
  });
}

function ended({ status }: JobRecord): ApiError {
  return new ApiError(409, `The job has ended: it is ${status}.`, { code: "job_ended" });
}

function notQueued({ status }: JobRecord): ApiError {
  return new ApiError(
    409,
    `Only queued jobs can be moved; this one is ${status}, or the other is not queued.`,
    {
      code: "job_not_queued",
    },
  );
}
