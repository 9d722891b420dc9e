/** @file The server's native routes as functions. */
import type { Capabilities, Entry, Job, Upload } from "./answers.ts";
import { errorOf } from "./api-error.ts";
import { capabilitiesOf } from "./capabilities.ts";
import { readEvents } from "./event-stream.ts";

/** A connection on which nothing was heard for so long, in milliseconds, is taken for dead; the server pings more often. */
const SILENCE = 45_000;

export interface GalleryPage {
  readonly data: readonly Entry[];
  readonly has_more: boolean;
}

type Fetch = (url: string, init?: RequestInit) => Promise<Response>;

export class Client {
  /** @param key the API key to send, undefined without one */
  constructor(
    private readonly key: () => string | undefined,
    private readonly fetch: Fetch = (url, init) => globalThis.fetch(url, init),
  ) {}

  async capabilities(): Promise<Capabilities> {
    return capabilitiesOf(await this.json("capabilities"));
  }

  submit(body: Readonly<Record<string, unknown>>): Promise<Job> {
    return this.post("v1/jobs", body);
  }

  job(id: string): Promise<Job> {
    return this.json(`v1/jobs/${encodeURIComponent(id)}`);
  }

  /** Jobs that have not ended, of everybody whose jobs this key may see. */
  async activeJobs(): Promise<readonly Job[]> {
    const { data } = await this.json<{ data: readonly Job[] }>("v1/jobs?status=queued,drawing&limit=100");
    return data;
  }

  cancel(id: string): Promise<Job> {
    return this.post(`v1/jobs/${encodeURIComponent(id)}/cancel`);
  }

  /** Puts a queued job in front of another, or last. */
  move(id: string, before: string | null): Promise<Job> {
    return this.post(`v1/jobs/${encodeURIComponent(id)}/move`, { before });
  }

  /** The job now and whenever it has changed, until it has ended or the connection has. */
  async *jobEvents(id: string, signal: AbortSignal): AsyncGenerator<Job> {
    const silence = new AbortController();
    const timer = setInterval(() => {
      if (Date.now() - heard > SILENCE) silence.abort(new TypeError("the connection fell silent"));
    }, SILENCE / 3);
    let heard = Date.now();
    try {
      const answer = await this.send(`v1/jobs/${encodeURIComponent(id)}/events`, {
        headers: { accept: "text/event-stream" },
        signal: AbortSignal.any([signal, silence.signal]),
      });
      if (answer.body === null) return;
      for await (const { event, data } of readEvents(answer.body, () => {
        heard = Date.now();
      })) {
        if (event === "job") yield JSON.parse(data) as Job;
      }
    } finally {
      clearInterval(timer);
    }
  }

  async upload(file: Blob, name = "picture.png"): Promise<Upload> {
    const body = new FormData();
    body.append("file", file, name);
    return (await this.send("v1/uploads", { method: "POST", body })).json() as Promise<Upload>;
  }

  /** Newest first, older than the given picture. */
  gallery(limit: number, before?: string): Promise<GalleryPage> {
    const older = before === undefined ? "" : `&before=${encodeURIComponent(before)}`;
    return this.json(`v1/gallery?limit=${limit}${older}`);
  }

  picture(id: string): Promise<Entry> {
    return this.json(`v1/gallery/${encodeURIComponent(id)}`);
  }

  async removePicture(id: string): Promise<void> {
    await this.send(`v1/gallery/${encodeURIComponent(id)}`, { method: "DELETE" });
  }

  private async json<Answer>(url: string): Promise<Answer> {
    return (await this.send(url, {})).json() as Promise<Answer>;
  }

  private async post<Answer>(url: string, body: unknown = {}): Promise<Answer> {
    const answer = await this.send(url, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    return answer.json() as Promise<Answer>;
  }

  /** @throws ApiError for what is refused, TypeError where nobody answers. */
  private async send(url: string, init: RequestInit): Promise<Response> {
    const key = this.key();
    const headers = {
      ...(init.headers as Record<string, string> | undefined),
      ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
    };
    const answer = await this.fetch(url, { ...init, headers });
    if (!answer.ok) throw await errorOf(answer);
    return answer;
  }
}
