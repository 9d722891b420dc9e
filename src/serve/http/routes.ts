/** @file Adds routes: what a route's schemas say is what is checked and what `/openapi.json` shows. */
import type { HttpBindings } from "@hono/node-server";
import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import { z } from "zod";
import { ApiError, errorSchema } from "./api-error.ts";
import type { BodyBudget } from "./body-budget.ts";
import { checkedFields, fieldsOfText } from "./checked-fields.ts";
import type { ServerLimits } from "./limits.ts";
import { type FilePart, readRequestBody } from "./request-body.ts";

export interface RequestEnv {
  Bindings: HttpBindings;
  Variables: {
    requestId: string;
    /** Name of the API key that the request came with; null where none are needed. */
    owner: string | null;
    /** Pattern of the route that answers, for metrics. */
    handler: string;
  };
}

export type RequestContext = Context<RequestEnv>;

/** `open` routes are answered without an API key; `signed` ones also to whoever has an address that was signed with one. */
export type Access = "open" | "key" | "signed";

export interface RouteShape<Query extends z.ZodObject, Fields extends z.ZodObject> {
  readonly method: "get" | "post" | "delete";
  /** As OpenAPI writes it: `/v1/jobs/{id}`. */
  readonly path: string;
  /** Other paths that are answered alike. */
  readonly aliases?: readonly string[];
  readonly summary: string;
  readonly access: Access;
  readonly query?: Query;
  readonly body?: BodyShape<Fields>;
  /** What is answered, by status. Errors go without saying. */
  readonly answers: Readonly<Record<number, AnswerShape>>;
}

export interface BodyShape<Fields extends z.ZodObject> {
  readonly schema: Fields;
  readonly types: readonly ("json" | "form")[];
  /** Fields of a form that are files, with what they are. `image` stands for `image[]` too. */
  readonly files?: Readonly<Record<string, string>>;
  /** Whether JSON may carry pictures. */
  readonly large?: boolean;
}

export interface AnswerShape {
  readonly description: string;
  readonly schema?: z.ZodType;
  /** Default: application/json. */
  readonly type?: string;
}

/** What a handler is given. Files and fields are let go of when it returns. */
export interface CheckedRequest<Query extends z.ZodObject, Fields extends z.ZodObject> {
  readonly context: RequestContext;
  readonly query: z.output<Query>;
  readonly fields: z.output<Fields>;
  readonly files: readonly FilePart[];
  /** Signals that the client is gone. */
  readonly signal: AbortSignal;
  /** Path parameter, as it came. */
  readonly param: (name: string) => string;
}

/** What a handler answers: a response, or what makes one when the body of the request was let go of. */
export type Answer = Response | (() => Promise<Response>);

export type RouteHandler<Query extends z.ZodObject, Fields extends z.ZodObject> = (
  request: CheckedRequest<Query, Fields>,
) => Promise<Answer> | Answer;

export class Routes {
  readonly app: OpenAPIHono<RequestEnv>;
  readonly #limits: ServerLimits;
  readonly #budget: BodyBudget;
  readonly #allow: (access: Access) => (context: RequestContext) => void;
  readonly #methods = new Map<string, Set<string>>();

  /** @param allow throws where the request may not use a route of that access; sets its owner */
  constructor(
    app: OpenAPIHono<RequestEnv>,
    limits: ServerLimits,
    budget: BodyBudget,
    allow: (access: Access) => (context: RequestContext) => void,
  ) {
    this.app = app;
    this.#limits = limits;
    this.#budget = budget;
    this.#allow = allow;
  }

  add<Query extends z.ZodObject, Fields extends z.ZodObject>(
    shape: RouteShape<Query, Fields>,
    handler: RouteHandler<Query, Fields>,
  ): void {
    const { method, path, access, query, body } = shape;
    const answer = async (context: RequestContext): Promise<Response> => {
      context.set("handler", path);
      this.#allow(access)(context);
      const checkedQuery = query === undefined ? {} : checkedFields(query, queryFields(query, context));
      const { fields, files, held } = await this.#read(context, body);
      let made: Answer;
      try {
        made = await handler({
          context,
          query: checkedQuery as z.output<Query>,
          fields: fields as z.output<Fields>,
          files,
          signal: context.req.raw.signal,
          param: (name) => context.req.param(name) ?? "",
        });
      } finally {
        this.#budget.give(held);
      }
      return typeof made === "function" ? made() : made;
    };
    for (const [index, place] of [path, ...(shape.aliases ?? [])].entries()) {
      this.app.on(method.toUpperCase(), routingPath(place), answer);
      const methods = this.#methods.get(place) ?? new Set();
      this.#methods.set(place, methods.add(method.toUpperCase()));
      this.#document(shape, place, index > 0);
    }
  }

  /** Answers OPTIONS, and refuses other methods, on every path that was added. To be called once, behind the last of them. */
  close(): void {
    for (const [place, methods] of this.#methods) {
      const allowed = [...methods, ...(methods.has("GET") ? ["HEAD"] : []), "OPTIONS"].join(", ");
      this.app.all(routingPath(place), (context) => {
        context.set("handler", place);
        const { method } = context.req;
        if (method === "OPTIONS") return context.body(null, 204, { allow: allowed });
        throw new ApiError(405, `Not allowed to ${method} on ${place}. (HINT: use ${allowed})`, {
          code: "method_not_allowed",
          headers: { allow: allowed },
        });
      });
    }
  }

  async #read<Fields extends z.ZodObject>(
    context: RequestContext,
    body: BodyShape<Fields> | undefined,
  ): Promise<{ fields: unknown; files: readonly FilePart[]; held: number }> {
    if (body === undefined) return { fields: {}, files: [], held: 0 };
    const form = body.types.includes("form");
    const rules = {
      json: body.types.includes("json"),
      form,
      fileFields: Object.keys(body.files ?? {}).flatMap((name) => [name, `${name}[]`]),
      maxBytes: form || body.large === true ? this.#limits.bodyBytes : this.#limits.jsonBytes,
      pace: this.#limits.bodyPace,
    };
    const read = await readRequestBody(context.env.incoming, rules, this.#budget);
    try {
      const { kind, fields } = read.body;
      const given = kind === "form" ? fieldsOfText(body.schema, fields as Record<string, string>) : fields;
      return { fields: checkedFields(body.schema, given), files: read.body.files, held: read.held };
    } catch (error) {
      this.#budget.give(read.held);
      throw error;
    }
  }

  #document<Query extends z.ZodObject, Fields extends z.ZodObject>(
    shape: RouteShape<Query, Fields>,
    path: string,
    isAlias: boolean,
  ): void {
    const { method, summary, access, query, body, answers } = shape;
    const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name as string);
    const params = z.object(Object.fromEntries(names.map((name) => [name, z.string()])));
    this.app.openAPIRegistry.registerPath({
      method,
      path,
      summary: isAlias ? `${summary} (as ${shape.path})` : summary,
      security: access === "open" ? [] : [{ key: [] }],
      request: {
        ...(names.length === 0 ? {} : { params }),
        ...(query === undefined ? {} : { query }),
        ...(body === undefined ? {} : { body: { content: bodyContent(body) } }),
      },
      responses: {
        ...Object.fromEntries(
          Object.entries(answers).map(([status, { description, schema, type = "application/json" }]) => [
            status,
            { description, ...(schema === undefined ? {} : { content: { [type]: { schema } } }) },
          ]),
        ),
        default: {
          description: "Refused, or failed.",
          content: { "application/json": { schema: errorSchema } },
        },
      },
    });
  }
}

function bodyContent<Fields extends z.ZodObject>({ schema, types, files = {} }: BodyShape<Fields>) {
  const binary = Object.fromEntries(
    Object.entries(files).map(([name, description]) => [
      name,
      z.string().meta({ format: "binary", description }).optional(),
    ]),
  );
  return {
    ...(types.includes("json") ? { "application/json": { schema } } : {}),
    ...(types.includes("form") ? { "multipart/form-data": { schema: schema.extend(binary) } } : {}),
  };
}

function queryFields(schema: z.ZodObject, context: RequestContext): Record<string, unknown> {
  return fieldsOfText(schema, context.req.query());
}

function routingPath(path: string): string {
  return path.replaceAll(/\{(\w+)\}/g, ":$1");
}
