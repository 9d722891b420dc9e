/** @file What the server refused, in its own words. */

export class ApiError extends Error {
  override readonly name = "ApiError";
  constructor(
    readonly status: number,
    message: string,
    readonly code: string | null = null,
    readonly param: string | null = null,
  ) {
    super(message);
  }

  /** Whether asking again may go better without anything being changed. */
  get isPassing(): boolean {
    return this.status >= 500 || this.status === 429 || this.status === 408;
  }
}

/** The error of an answer that is not 2xx. */
export async function errorOf(answer: Response): Promise<ApiError> {
  let error: { message?: unknown; code?: unknown; param?: unknown } = {};
  try {
    error = ((await answer.json()) as { error?: typeof error }).error ?? {};
  } catch {
    // A proxy's page, or nothing: the status says what is known.
  }
  const text = (value: unknown): string | null => (typeof value === "string" ? value : null);
  return new ApiError(
    answer.status,
    text(error.message) ?? `the server answered ${answer.status}`,
    text(error.code),
    text(error.param),
  );
}

/** What to tell a person of anything that was thrown. */
export function reasonOf(error: unknown): string {
  if (error instanceof ApiError) return error.message;
  if (error instanceof TypeError) return "the server does not answer";
  return error instanceof Error ? error.message : String(error);
}
