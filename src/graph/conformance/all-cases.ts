/** @file The conformance cases of every operator, by the name under which it is exported. */
import { blockCases } from "./block-cases.ts";
import { choiceCases } from "./choice-cases.ts";
import { elementwiseCases } from "./elementwise-cases.ts";
import { gatherCases } from "./gather-cases.ts";
import { layoutCases } from "./layout-cases.ts";
import { normalizationCases } from "./normalization-cases.ts";
import type { CaseGenerator } from "./operator-case.ts";
import { pictureCases } from "./picture-cases.ts";
import { productCases } from "./product-cases.ts";
import { reduceCases } from "./reduce-cases.ts";

export const operatorCases: Readonly<Record<string, CaseGenerator>> = {
  ...blockCases,
  ...choiceCases,
  ...elementwiseCases,
  ...gatherCases,
  ...layoutCases,
  ...normalizationCases,
  ...pictureCases,
  ...productCases,
  ...reduceCases,
};
