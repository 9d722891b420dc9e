/** @file Drawings of one subject on white: is it the right one, and how is it drawn. */
import { meanOf, ratioOf } from "../estimate.ts";
import { gradientStrength } from "../gradient-strength.ts";
import { kernelDistance } from "../kernel-distance.ts";
import { residueOnWhite } from "../residue.ts";
import { rankOf, shareWithin } from "../retrieval.ts";
import { type Heading, type Judged, type Row, rowOf } from "./row.ts";
import type { References, Scorer } from "./scorer.ts";

type Single = { readonly subject: string };

/** Whether the nearest real picture of all, or one of the five nearest, is of the drawing's subject. */
export async function retrievalRows(
  heading: Heading,
  judged: readonly Judged<Single>[],
  scorers: readonly Scorer[],
  references: References,
): Promise<Row[]> {
  const rows: Row[] = [];
  for (const scorer of scorers) {
    const real = await references(scorer);
    for (const limit of [1, 5]) {
      rows.push(
        ...(await rowOf<Single>(heading, `top-${limit} by ${scorer.name}`, "share", async (pick) => {
          const features = await scorer.of(judged.map(pick));
          const ranks = judged.map(({ item }, index) =>
            rankOf({ subject: item.subject, feature: features[index]! }, real, scorer.distance),
          );
          return shareWithin(ranks, limit);
        })),
      );
    }
  }
  return rows;
}

/** Fewest pairs of which a kernel distance says anything. */
const LEAST_PAIRS = 3;

/** How far the drawings as a whole are from the real pictures. */
export async function kernelRows(
  heading: Heading,
  judged: readonly Judged<unknown>[],
  net: Scorer,
): Promise<Row[]> {
  if (judged.length < LEAST_PAIRS) return [];
  const real = await net.of(judged.map((each) => each.real));
  return rowOf(heading, "kernel distance", "distance", async (pick) =>
    kernelDistance(await net.of(judged.map(pick)), real),
  );
}

/** Edges relative to those of the real pictures: all of them, and strong ones alone. */
export async function edgeRows(heading: Heading, judged: readonly Judged<unknown>[]): Promise<Row[]> {
  const real = judged.map((each) => gradientStrength(each.real));
  const rows: Row[] = [];
  for (const kind of ["all", "strong"] as const) {
    const measure = kind === "all" ? "edges" : "strong edges";
    rows.push(
      ...(await rowOf(heading, measure, "ratio", (pick) =>
        ratioOf(judged.map((each, index) => [gradientStrength(pick(each))[kind], real[index]![kind]])),
      )),
    );
  }
  return rows;
}

/** What is left on the white ground. */
export async function residueRows(heading: Heading, judged: readonly Judged<unknown>[]): Promise<Row[]> {
  return rowOf(heading, "residue on white", "levels", (pick) => {
    const levels = judged.flatMap((each) => residueOnWhite(pick(each), each.real) ?? []);
    return levels.length === 0 ? undefined : meanOf(levels);
  });
}
