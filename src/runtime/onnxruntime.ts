/**
 * @file The only place that loads ONNX Runtime. Its official builds report usage to their maker and write into the
 * user's cache folder; an environment variable stops both, if it is set in the main thread before the library loads.
 * So the library is imported when it is first needed, never by a static import, which would run first.
 */
export type { InferenceSession, Tensor } from "onnxruntime-node";
export type OnnxRuntime = typeof import("onnxruntime-node");

/** Must run in the main thread before any thread loads the library: a worker's `process.env` is only a copy. */
export function disableTelemetry(): void {
  process.env.ORT_DISABLE_TELEMETRY = "1";
}

export function loadOnnxRuntime(): Promise<OnnxRuntime> {
  disableTelemetry();
  return import("onnxruntime-node");
}
