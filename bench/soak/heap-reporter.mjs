/** @file Loaded in front of a server under test: says what its process holds when it is asked. */
process.on("message", (message) => {
  if (message !== "report") return;
  globalThis.gc?.();
  const { heapUsed, external, arrayBuffers } = process.memoryUsage();
  const resources = {};
  for (const kind of process.getActiveResourcesInfo()) resources[kind] = (resources[kind] ?? 0) + 1;
  process.send?.({ heapUsed, external, arrayBuffers, resources });
});
// Being asked is no reason to stay.
process.channel?.unref();
