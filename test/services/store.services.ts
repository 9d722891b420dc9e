/** @file The store on a server that speaks S3. */
import { PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { expect, test } from "vitest";
import { ConfigError } from "../../src/errors.ts";
import { openStore } from "../../src/serve/store/open-store.ts";
import { storeSuite } from "../../src/serve/store/test-store-suite.ts";
import { service } from "./services.ts";

const bucket = service("NEXTSTEP_TEST_BUCKET");

storeSuite(
  "an S3 server",
  () => openStore(`s3://${bucket}/some/where/`),
  async (blob, bytes) => {
    const client = new S3Client({ forcePathStyle: true, region: "us-east-1" });
    await client.send(new PutObjectCommand({ Bucket: bucket, Key: `some/where/blobs/${blob}`, Body: bytes }));
    client.destroy();
  },
);

test("prefixes of one bucket know nothing of each other", async () => {
  await using one = await openStore(`s3://${bucket}/one`);
  await using none = await openStore(`s3://${bucket}`);
  const blob = await one.put(new Uint8Array([1]));
  expect(await none.get(blob)).toBeUndefined();
  for await (const { name } of none.list()) expect(name).not.toBe(blob);
});

test("what is wrong is said when it is opened", async () => {
  await expect(openStore("s3://no-such-bucket-here/x")).rejects.toThrow("there is no such bucket");
  await expect(openStore("s3://")).rejects.toThrow(ConfigError);
  await expect(openStore("s3://UPPER/x")).rejects.toThrow(ConfigError);
  const { AWS_ENDPOINT_URL } = process.env;
  process.env.AWS_ENDPOINT_URL = "http://127.0.0.1:1";
  await expect(openStore(`s3://${bucket}`)).rejects.toThrow("nobody listens there");
  process.env.AWS_ENDPOINT_URL = AWS_ENDPOINT_URL;
});
