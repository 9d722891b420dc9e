import { describe, expect, it } from "vitest";
import { Client } from "./client.ts";

function answering(answer: () => Response) {
  const asked: { readonly url: string; readonly init: RequestInit | undefined }[] = [];
  const fetch = async (url: string, init?: RequestInit): Promise<Response> => {
    asked.push({ url, init });
    return answer();
  };
  return { fetch, asked };
}

describe("Client", () => {
  it("sends the key where there is one", async () => {
    const { fetch, asked } = answering(() => Response.json({ data: [] }));
    await new Client(() => "secret", fetch).activeJobs();
    await new Client(() => undefined, fetch).activeJobs();
    expect(asked.map(({ init }) => init?.headers)).toEqual([{ authorization: "Bearer secret" }, {}]);
  });

  it("says what the server said, and the status where it said nothing", async () => {
    const refusal = { error: { message: "the queue is full", code: "queue_full", param: null, type: "x" } };
    const refused = new Client(
      () => undefined,
      answering(() => Response.json(refusal, { status: 429 })).fetch,
    );
    await expect(refused.submit({})).rejects.toMatchObject({
      status: 429,
      message: "the queue is full",
      isPassing: true,
    });
    const page = new Client(() => undefined, answering(() => new Response("<html>", { status: 404 })).fetch);
    await expect(page.job("a")).rejects.toMatchObject({
      message: "the server answered 404",
      isPassing: false,
    });
  });

  it("keeps names of jobs within their part of the address", async () => {
    const { fetch, asked } = answering(() => Response.json({}));
    await new Client(() => undefined, fetch).job("../x?y");
    expect(asked[0]?.url).toBe("v1/jobs/..%2Fx%3Fy");
  });

  it("fills in what a server does not say of itself", async () => {
    const { fetch } = answering(() => Response.json({ size: "512x512", limits: { max_n: 4 } }));
    expect(await new Client(() => undefined, fetch).capabilities()).toMatchObject({
      size: "512x512",
      sizes: [],
      subjects: [],
      tokenSide: 16,
      canEdit: false,
      maxCount: 4,
    });
  });
});
