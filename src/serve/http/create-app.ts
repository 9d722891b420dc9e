/** @file The server's routes in one application, with what holds for all of them. */
import { OpenAPIHono } from "@hono/zod-openapi";
import { cors } from "hono/cors";
import { addA1111Routes } from "./a1111-routes.ts";
import { ApiError, apiErrorOf } from "./api-error.ts";
import { BodyBudget } from "./body-budget.ts";
import { addNativeGallery } from "./native-gallery.ts";
import { addNativeJobs } from "./native-jobs.ts";
import { addOpenAiImages } from "./openai-images.ts";
import { addOpenAiModels } from "./openai-models.ts";
import { addOperations } from "./operations.ts";
import { requestIdOf } from "./request-id.ts";
import { type Access, type RequestContext, type RequestEnv, Routes } from "./routes.ts";
import { logFault } from "./server-log.ts";
import type { ServerParts } from "./server-parts.ts";
import { traceContext } from "./trace-context.ts";

const NO_ROUTE = "unknown";

export function createApp(parts: ServerParts): OpenAPIHono<RequestEnv> {
  const { site, limits, log, metrics, page } = parts;
  const app = new OpenAPIHono<RequestEnv>();

  app.use(async (context, next) => {
    const began = performance.now();
    const { incoming, outgoing } = context.env;
    const requestId = requestIdOf(context.req.header("x-request-id"));
    context.set("requestId", requestId);
    context.set("owner", null);
    context.set("handler", NO_ROUTE);
    const trace = traceContext(context.req.header("traceparent"));
    outgoing.once("close", () => {
      const seconds = (performance.now() - began) / 1000;
      const handler = context.get("handler");
      const method = incoming.method ?? "";
      metrics.request(handler, method, outgoing.statusCode, seconds);
      log.write("info", "request", {
        request_id: requestId,
        method,
        handler,
        status: outgoing.statusCode,
        seconds: Math.round(seconds * 1000) / 1000,
        owner: context.get("owner"),
        client: incoming.socket.remoteAddress,
        ...(outgoing.writableFinished ? {} : { cut_off: true }),
        ...(trace === undefined ? {} : { trace_id: trace.traceId, parent_id: trace.parentId }),
      });
    });
    await next();
    context.header("x-request-id", requestId);
    context.header("x-content-type-options", "nosniff");
    // From here on the client has to take what it is given.
    outgoing.setTimeout(limits.stallMs);
  });
  const crossSite = cors({
    origin: (origin) => (site.allowsOrigin(origin) ? origin : null),
    allowHeaders: [
      "authorization",
      "content-type",
      "idempotency-key",
      "prefer",
      "traceparent",
      "x-request-id",
    ],
    allowMethods: ["GET", "POST", "DELETE", "OPTIONS"],
    exposeHeaders: ["x-request-id", "retry-after", "location"],
    maxAge: 600,
  });
  if (site.allowsSome) app.use(crossSite);
  app.use(async (context, next) => {
    const { method, headers } = context.env.incoming;
    site.checkHost(headers.host);
    site.checkSite(method ?? "", headers);
    await next();
  });

  const routes = new Routes(app, limits, new BodyBudget(limits.bodiesBytes), (access) => (context) => {
    context.set("owner", ownerOf(access, context, parts));
  });
  addOperations(routes, parts);
  addOpenAiModels(routes, parts);
  addOpenAiImages(routes, parts);
  addNativeJobs(routes, parts);
  addNativeGallery(routes, parts);
  addA1111Routes(routes, parts);
  routes.close();

  app.notFound((context) => {
    const { method, path } = context.req;
    const etag = context.req.header("if-none-match");
    const encodings = context.req.header("accept-encoding");
    const file =
      method === "GET" || method === "HEAD"
        ? page.answer(path, {
            ...(etag === undefined ? {} : { etag }),
            ...(encodings === undefined ? {} : { encodings }),
          })
        : undefined;
    if (file !== undefined) {
      context.set("handler", "page");
      return file;
    }
    const error = new ApiError(404, `Invalid URL (${method} ${path.slice(0, 200)})`);
    return answerError(error, context);
  });
  app.onError((error, context) => answerError(error, context as RequestContext));

  function answerError(error: unknown, context: RequestContext): Response {
    const answer = apiErrorOf(error);
    logFault(error, context, log);
    return new Response(JSON.stringify(answer.body), {
      status: answer.status,
      headers: { "content-type": "application/json", ...answer.headers },
    });
  }
  return app;
}

/** @throws ApiError of status 401. */
function ownerOf(access: Access, context: RequestContext, { keys }: ServerParts): string | null {
  if (access === "open" || !keys.needed) return null;
  if (access === "signed") {
    const { expires, signature } = context.req.query();
    if (expires !== undefined && signature !== undefined) {
      const signer = keys.signer(context.req.path, Number(expires), signature);
      if (signer !== undefined) return signer;
    }
  }
  return keys.ownerOf(context.req.header("authorization"));
}
