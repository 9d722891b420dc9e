/** @file Rows of the evaluation on small made-up pictures: what is right is found, what is wrong is seen as wrong. */
import { describe, expect, it } from "vitest";
import type { RgbImage } from "../../image/pixels.ts";
import { BACKGROUNDS } from "../../train/data/emoji/emoji-scenes.ts";
import { SubjectNames } from "../caption-subject.ts";
import { mirrored } from "../edit-outcome.ts";
import { pictureFeature } from "../picture-feature.ts";
import { asSmallIcon } from "../scene-windows.ts";
import {
  block,
  blurred,
  disc,
  MIDDLE,
  moved,
  noisy,
  type Place,
  ring,
  scene,
  type Thing,
  wedge,
} from "../test-pictures.ts";
import { captionRows } from "./caption-rows.ts";
import { type Edited, editRows } from "./edit-rows.ts";
import type { Judged, Row } from "./row.ts";
import { backgroundRows, countingRows, pairRows } from "./scene-rows.ts";
import { type References, SHAPE_SCORER } from "./scorer.ts";
import { edgeRows, kernelRows, residueRows, retrievalRows } from "./single-rows.ts";
import { tokenizerRows } from "./tokenizer-rows.ts";

const HEADING = { group: "made up", split: "seen" } as const;
const SUBJECTS: Readonly<Record<string, Thing>> = {
  "red wedge": wedge([210, 40, 40]),
  "red disc": disc([210, 40, 40]),
  "blue disc": disc([40, 60, 210]),
  "green block": block([50, 170, 60]),
  "brown ring": ring([130, 80, 40]),
  "yellow ring": ring([230, 200, 40]),
  "grey wedge": wedge([120, 120, 120]),
};
const NAMES = Object.keys(SUBJECTS);
const alone = (name: string): RgbImage => scene([[SUBJECTS[name]!, MIDDLE]]);

function referencesOf(change: (picture: RgbImage) => RgbImage): References {
  return async () => NAMES.map((subject) => ({ subject, feature: pictureFeature(change(alone(subject))) }));
}
const WHOLE = referencesOf((picture) => picture);
/** Known subjects enough that the five nearest are few: each also in other colours. */
const MANY: References = async () => {
  const tints = [0, 40, 80, 120].map(
    (tint) =>
      (picture: RgbImage): RgbImage => ({
        ...picture,
        data: picture.data.map((value, at) => (value === 255 ? 255 : (value + tint * ((at % 3) + 1)) % 250)),
      }),
  );
  return NAMES.flatMap((name) =>
    tints.map((tint, index) => ({
      subject: index === 0 ? name : `${name} ${index}`,
      feature: pictureFeature(asSmallIcon(tint(alone(name)))),
    })),
  );
};

/** Drawings and, as the autoencoder's copies, the real pictures a little blurred. */
function judge<Item>(
  items: readonly Item[],
  real: (item: Item) => RgbImage,
  drawn: (item: Item, real: RgbImage) => RgbImage,
): Judged<Item>[] {
  return items.map((item) => ({
    item,
    real: real(item),
    drawn: drawn(item, real(item)),
    copy: blurred(real(item)),
  }));
}

const values = (rows: readonly Row[]): Record<string, number> =>
  Object.fromEntries(rows.map(({ measure, model }) => [measure, model.value]));
const floors = (rows: readonly Row[]): Record<string, number | undefined> =>
  Object.fromEntries(rows.map(({ measure, floor }) => [measure, floor?.value]));

describe("singles", () => {
  const subjects = NAMES.map((subject) => ({ subject }));
  const real = ({ subject }: { subject: string }): RgbImage => alone(subject);

  it("finds a real picture that was moved and blurred, and not another style", async () => {
    const near = judge(subjects, real, (_, picture) => blurred(moved(picture, 3, -2)));
    const found = await retrievalRows(HEADING, near, [SHAPE_SCORER], WHOLE);
    expect(values(found)).toEqual({ "top-1 by shape": 1, "top-5 by shape": 1 });
    expect(floors(found)).toEqual({ "top-1 by shape": 1, "top-5 by shape": 1 });

    // The same things as outlines on a dark ground.
    const other = judge(subjects, real, ({ subject }) =>
      scene([[ring(BACKGROUNDS.black), MIDDLE]], {
        ground: subject.startsWith("red") ? [90, 0, 0] : [0, 0, 90],
      }),
    );
    const [top1] = await retrievalRows(HEADING, other, [SHAPE_SCORER], WHOLE);
    expect(top1!.model.value).toBeLessThan(0.5);
    expect(top1!.floor?.value).toBe(1);
  });

  it("tells one distribution from another", async () => {
    const same = judge(subjects, real, (_, picture) => picture);
    const stained = judge(subjects, real, (_, picture) => noisy(picture, 60));
    const [row] = await kernelRows(HEADING, same, SHAPE_SCORER);
    const [far] = await kernelRows(HEADING, stained, SHAPE_SCORER);
    expect(row!.model.value).toBe(0);
    expect(far!.model.value).toBeGreaterThan(2 * far!.floor!.value);
  });

  it("sees blur in the edges and stains on the ground", async () => {
    const soft = judge(subjects, real, (_, picture) => blurred(picture, 3));
    const edges = await edgeRows(HEADING, soft);
    expect(values(edges)["strong edges"]!).toBeLessThan(floors(edges)["strong edges"]!);
    expect(floors(edges)["strong edges"]!).toBeLessThan(1);
    const small = [{ subject: "blue disc" }];
    const middle = (): RgbImage => scene([[SUBJECTS["blue disc"]!, [0.3, 0.3, 0.4]]]);
    const veiled = judge(small, middle, (_, picture) => ({
      ...picture,
      data: picture.data.map((value) => Math.min(value, 247)),
    }));
    const [residue] = await residueRows(HEADING, veiled);
    expect(residue!.model.value).toBe(8);
    expect(residue!.floor!.value).toBe(0);
  });
});

describe("scenes", () => {
  const LEFT: Place = [1 / 32, 9 / 32, 7 / 16];
  const RIGHT: Place = [17 / 32, 9 / 32, 7 / 16];
  const CELLS: readonly Place[] = [
    [1 / 32, 1 / 32, 7 / 16],
    [17 / 32, 1 / 32, 7 / 16],
    [1 / 32, 17 / 32, 7 / 16],
    [17 / 32, 17 / 32, 7 / 16],
  ];

  it("knows the colour that was asked for", async () => {
    const items = [{ background: "blue" }, { background: "orange" }] as const;
    const judged = judge(
      items,
      ({ background }) => scene([[disc([255, 255, 255]), MIDDLE]], { ground: BACKGROUNDS[background] }),
      () => scene([], { ground: BACKGROUNDS.blue }),
    );
    const rows = await backgroundRows(HEADING, judged);
    expect(values(rows)).toEqual({ "background colour": 0.5 });
    expect(floors(rows)).toEqual({ "background colour": 1 });
  });

  it("wants as many as asked for, and each of them", async () => {
    const subject = "red wedge";
    const item = { subject, layout: "four", count: 4, alone: alone(subject) } as const;
    const some = (names: readonly string[]): RgbImage =>
      scene(names.map((name, index) => [SUBJECTS[name]!, CELLS[index]!]));
    const four = some([subject, subject, subject, subject]);
    const score = async (drawn: RgbImage): Promise<Record<string, number>> =>
      values(await countingRows(HEADING, [{ item, real: four, drawn, copy: four }], [SHAPE_SCORER], MANY));
    expect(await score(moved(four, 1, 1))).toEqual({ count: 1, "count and subject by shape": 1 });
    expect(await score(some([subject, subject, subject]))).toEqual({
      count: 0,
      "count and subject by shape": 0,
    });
    const strangers = some([subject, "blue disc", subject, subject]);
    expect(await score(strangers)).toEqual({ count: 1, "count and subject by shape": 0 });
    expect((await score(scene([]))).count).toBe(0);
  });

  it("tells which is where", async () => {
    const subjects = ["red wedge", "yellow ring"] as const;
    const item = { subjects, layout: "beside" } as const;
    const pair = (left: string, right: string): RgbImage =>
      scene([
        [SUBJECTS[left]!, LEFT],
        [SUBJECTS[right]!, RIGHT],
      ]);
    const real = pair(...subjects);
    const score = async (drawn: RgbImage): Promise<Record<string, number>> =>
      values(await pairRows(HEADING, [{ item, real, drawn, copy: real }], [SHAPE_SCORER], MANY));
    expect(await score(noisy(real, 8))).toEqual({ "two objects by shape": 1, "position by shape": 1 });
    expect(await score(pair("yellow ring", "red wedge"))).toEqual({
      "two objects by shape": 1,
      "position by shape": 0,
    });
    expect(await score(pair("red wedge", "red wedge"))).toEqual({
      "two objects by shape": 0,
      "position by shape": 0,
    });
  });
});

describe("edits", () => {
  const source = alone("red wedge");

  it("are judged by what they were to change, and by what they kept", async () => {
    const target = mirrored(source);
    const item: Edited = { kind: "mirror", source, background: "white" };
    const score = async (drawn: RgbImage): Promise<Record<string, number>> =>
      values(await editRows(HEADING, [{ item, real: target, drawn, copy: blurred(target) }], [SHAPE_SCORER]));
    expect(await score(target)).toEqual({ "change made": 1, "rest kept": 60 });
    expect((await score(source))["change made"]).toBe(0);
    expect((await score(noisy(target, 20)))["rest kept"]).toBeLessThan(26);
  });

  it("of the background count the colour alone", async () => {
    const target = scene([[SUBJECTS["red wedge"]!, MIDDLE]], { ground: BACKGROUNDS.green });
    const item: Edited = { kind: "background", source, background: "green" };
    const score = async (drawn: RgbImage): Promise<Record<string, number>> =>
      values(await editRows(HEADING, [{ item, real: target, drawn, copy: target }], []));
    const emptied = scene([], { ground: BACKGROUNDS.green });
    expect((await score(emptied))["change made"]).toBe(1);
    expect((await score(emptied))["rest kept"]).toBeLessThan(15);
    expect((await score(source))["change made"]).toBe(0);
  });

  it("of the style are nearer to the asked one", async () => {
    const target = scene([[ring([210, 40, 40]), MIDDLE]]);
    const item: Edited = { kind: "style", source, background: "white" };
    const score = async (drawn: RgbImage): Promise<Record<string, number>> =>
      values(await editRows(HEADING, [{ item, real: target, drawn, copy: target }], [SHAPE_SCORER]));
    expect((await score(blurred(target)))["change made by shape"]).toBe(1);
    expect((await score(noisy(source, 10)))["change made by shape"]).toBe(0);
  });
});

describe("captions and tokenizer", () => {
  it("want the subject named, and it alone", () => {
    const names = new SubjectNames([
      { id: "dog", names: ["dog"] },
      { id: "cat", names: ["cat"] },
    ]);
    const captions = ["a dog", "a picture of a dog"];
    const rows = captionRows(
      HEADING,
      [
        { text: "A dog", subject: "dog", captions },
        { text: "dog on the moon", subject: "dog", captions },
        { text: "a cat", subject: "dog", captions },
        { text: "a dog and a cat", subject: "dog", captions },
      ],
      names,
    );
    expect(values(rows)).toEqual({ "caption names the subject": 0.5, "caption is one of the data's": 0.25 });
  });

  it("measures copies by four figures a strength of noise", () => {
    const pictures = NAMES.map(alone);
    const sharp = values(tokenizerRows(HEADING, 0, pictures, pictures));
    const soft = values(
      tokenizerRows(
        HEADING,
        0.2,
        pictures,
        pictures.map((picture) => blurred(picture)),
      ),
    );
    expect(sharp).toMatchObject({ "SSIM at noise 0": 1, "edges in place at noise 0": 1 });
    expect(soft["PSNR at noise 0.2"]).toBeLessThan(sharp["PSNR at noise 0"]!);
    expect(soft["edges in place at noise 0.2"]).toBeLessThan(0.8);
    expect(soft["strong edges at noise 0.2"]).toBeLessThan(1);
  });
});
