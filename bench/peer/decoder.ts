/** @file What is compared: something that decodes a token of each of its sequences again and again. */
export interface Decoder extends AsyncDisposable {
  /** One token of each sequence behind always the same cached ones. */
  step(): Promise<void>;
}
