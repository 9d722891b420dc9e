import { expect, it } from "vitest";
import { MemoryDesk, requestOf } from "../serve/draw/test-rooms.ts";
import { GatedDesk } from "./gated-desk.ts";

it("hands out jobs once it is open", async () => {
  const desk = new MemoryDesk();
  const gated = new GatedDesk(desk);
  desk.submit(requestOf());
  let claimed = false;
  const claim = gated.claim("worker", "model").then((job) => {
    claimed = true;
    return job;
  });
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(claimed).toBe(false);
  gated.open();
  expect((await claim)?.record.request.prompt).toBe("rain");
});

it("hands out none when it is given up before, and waits for the end", async () => {
  const desk = new MemoryDesk();
  const gated = new GatedDesk(desk);
  desk.submit(requestOf());
  const ending = new AbortController();
  const [claim, waiting] = [gated.claim("worker", "model"), gated.wait(ending.signal)];
  gated[Symbol.dispose]();
  expect(await claim).toBeUndefined();
  ending.abort();
  await waiting;
  await gated.wait(ending.signal);
});
