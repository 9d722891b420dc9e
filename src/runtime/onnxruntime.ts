/**
 * @file The only place that loads ONNX Runtime, and what keeps it from reporting to its maker.
 *
 * Since 1.29 the official builds upload usage data and leave an identifier in the user's home folder. For that they
 * also run a recursive pattern over the process's command line, which overflows the stack of a thread when a prompt of
 * some 3,000 words stands there: a segmentation fault. An environment variable stops all of it, if it is set before the
 * library loads. So the library is imported when it is first needed, never by a static import, which would run first.
 */
export type { InferenceSession, Tensor } from "onnxruntime-node";
export type OnnxRuntime = typeof import("onnxruntime-node");

/**
 * Must run in the main thread before any thread loads the library: a worker's `process.env` is only a copy. A program
 * that opens models only in threads of its own sets the variable itself.
 */
export function disableTelemetry(): void {
  process.env.ORT_DISABLE_TELEMETRY = "1";
}

export function loadOnnxRuntime(): Promise<OnnxRuntime> {
  disableTelemetry();
  return import("onnxruntime-node");
}
