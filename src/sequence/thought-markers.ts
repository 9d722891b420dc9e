/** @file The markers between which a model writes a thought of its own before a picture (docs/nextstep-spec.md 1.4, 3.8). */
import {
  BEGIN_OF_REFINEMENT,
  BEGIN_OF_THINKING,
  END_OF_REFINEMENT,
  END_OF_THINKING,
} from "./special-tokens.ts";
import type { TextTokenizer } from "./tokenizer.ts";

/** `thinking`: reasoning; `refinement`: the prompt in words of the model's own. */
export type ThoughtKind = "thinking" | "refinement";

/** Ids of the tokens around a part of a thought. */
export interface ThoughtMarkers {
  readonly kind: ThoughtKind;
  readonly begin: number;
  readonly end: number;
}

const MARKERS = [
  { kind: "thinking", begin: BEGIN_OF_THINKING, end: END_OF_THINKING },
  { kind: "refinement", begin: BEGIN_OF_REFINEMENT, end: END_OF_REFINEMENT },
] as const;

/** The pairs that a vocabulary has; none for a model that does not know how to think. */
export function thoughtMarkers(tokenizer: Pick<TextTokenizer, "idOf">): readonly ThoughtMarkers[] {
  return MARKERS.flatMap(({ kind, begin, end }) => {
    const ids = [tokenizer.idOf(begin), tokenizer.idOf(end)] as const;
    return ids[0] === null || ids[1] === null ? [] : [{ kind, begin: ids[0], end: ids[1] }];
  });
}
