/** @file The parts of a composed picture in which its icons lie, cut out so that each looks like a picture of one. */
import type { RgbImage } from "../image/pixels.ts";
import { resample, type Window } from "../image/resample.ts";
import { stretch } from "../image/resize.ts";
import { CANVAS_SIDE } from "../train/data/emoji/emoji-render.ts";
import { boxesOf, type SceneLayout } from "../train/data/emoji/emoji-scenes.ts";

/** Room around an icon, as a share of its side: that of the layout `single`, whatever the icon's size. */
const ROOM = (() => {
  const [margin, , side] = boxesOf("single")[0]!;
  return margin / side;
})();

/** The windows of a layout's icons in a square picture of `side` pixels. */
export function windowsOf(layout: SceneLayout, side: number): Window[] {
  const scale = side / CANVAS_SIDE;
  return boxesOf(layout).map(([left, top, icon]) => {
    const room = icon * ROOM;
    const length = Math.round((icon + 2 * room) * scale);
    return {
      offset: [Math.round((top - room) * scale), Math.round((left - room) * scale)],
      size: [length, length],
    };
  });
}

export function cutOut(image: RgbImage, window: Window): RgbImage {
  return resample(image, [image.height, image.width], "box", window);
}

/** The picture of one thing as it looks in a window of half the side. */
export function asSmallIcon(alone: RgbImage): RgbImage {
  return stretch(alone, [alone.height >> 1, alone.width >> 1], "lanczos");
}

/** A scene on white of the thing that `alone` shows on white, at all places of a layout of icons of half the size. */
export function composed(alone: RgbImage, layout: SceneLayout): RgbImage {
  const icon = asSmallIcon(alone);
  const data = new Uint8Array(alone.data.length).fill(255);
  for (const { offset } of windowsOf(layout, alone.width)) {
    for (let y = 0; y < icon.height; y++) {
      const row = icon.data.subarray(3 * y * icon.width, 3 * (y + 1) * icon.width);
      data.set(row, 3 * ((offset[0] + y) * alone.width + offset[1]));
    }
  }
  return { width: alone.width, height: alone.height, data };
}
