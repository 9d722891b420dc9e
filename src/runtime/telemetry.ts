/** @file Keeps the engine's library from reporting to its maker. */

/**
 * Since 1.29 ONNX Runtime uploads usage data and leaves an identifier in the user's home folder. For that it also runs
 * a recursive pattern over the process's command line, which overflows the stack of a thread when a prompt of some
 * 3,000 words stands there: a segmentation fault.
 *
 * The variable is read when the first session is made, from the environment of the process: a worker thread's
 * `process.env` is a copy, so this has to be called in the main thread too. A program that opens models only in
 * threads of its own sets the variable itself.
 */
export function disableTelemetry(): void {
  process.env.ORT_DISABLE_TELEMETRY = "1";
}
